"""Writes a module with a wide call graph to standard output: thousands of small functions, none of which is hot.

The functions are in levels. Each calls two functions of the next level, and a third one depending on its data. The export
`run(n)` calls every function of the first level n times. With n = 90 that is a hundred million calls. A predictor of indirect
jumps that does well here has to tell apart some ten thousand returns.
"""

import sys

LEVELS, PER_LEVEL = 8, 600
I32, LOCAL_GET, LOCAL_SET, LOCAL_TEE, CALL, CONST, IF, ELSE, END = 0x7F, 0x20, 0x21, 0x22, 0x10, 0x41, 0x04, 0x05, 0x0B
ADD, MUL, AND, XOR, SHR_U, LOOP, BR_IF, SUB = 0x6A, 0x6C, 0x71, 0x73, 0x76, 0x03, 0x0D, 0x6B

state = 88172645463325252


def number(below):
    """Returns the next number of a fixed sequence (xorshift)."""
    global state
    state ^= state << 13 & 2**64 - 1
    state ^= state >> 7
    state ^= state << 17 & 2**64 - 1
    return state % below


def unsigned(value):
    out = bytearray()
    while True:
        value, low = value >> 7, value & 127
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def constant(value):
    out = bytearray([CONST])
    while True:
        value, low = value >> 7, value & 127
        last = value in (0, -1) and (low & 64 != 0) == (value == -1)
        out.append(low if last else low | 128)
        if last:
            return bytes(out)


def vector(items):
    return unsigned(len(items)) + b"".join(items)


def section(kind, content):
    return bytes([kind]) + unsigned(len(content)) + content


def body(locals_, code):
    whole = vector([unsigned(locals_) + bytes([I32])] if locals_ else []) + code + bytes([END])
    return unsigned(len(whole)) + whole


def call(level):
    return bytes([CALL]) + unsigned(level * PER_LEVEL + number(PER_LEVEL))


def function(level):
    """Returns the body of a function: parameter x, local y."""
    code = bytes([LOCAL_GET, 0]) + constant(number(1 << 20) * 2 + 1) + bytes([MUL]) + constant(number(1 << 20)) + bytes([ADD])
    code += bytes([LOCAL_TEE, 1]) + constant(13 + number(8)) + bytes([SHR_U, LOCAL_GET, 1, XOR, LOCAL_SET, 1])
    if level + 1 == LEVELS:
        return body(1, code + bytes([LOCAL_GET, 1]))
    code += bytes([LOCAL_GET, 1]) + call(level + 1) + bytes([LOCAL_GET, 1, XOR]) + call(level + 1) + bytes([LOCAL_SET, 0])
    code += bytes([LOCAL_GET, 1]) + constant(3 << number(10)) + bytes([AND, IF, 0x40, LOCAL_GET, 0, LOCAL_GET, 1, ADD])
    code += call(level + 1) + bytes([LOCAL_GET, 0, XOR, LOCAL_SET, 0, END])
    return body(1, code + bytes([LOCAL_GET, 0]))


def run():
    """Returns the body of `run`: parameter n, local sum."""
    code = bytes([LOOP, 0x40])
    for index in range(PER_LEVEL):
        code += bytes([LOCAL_GET, 1, CALL]) + unsigned(index) + bytes([LOCAL_GET, 0, ADD, LOCAL_SET, 1])
    code += bytes([LOCAL_GET, 0]) + constant(1) + bytes([SUB, LOCAL_TEE, 0, BR_IF, 0, END])
    return body(1, code + bytes([LOCAL_GET, 1]))


functions = [function(level) for level in range(LEVELS) for _ in range(PER_LEVEL)] + [run()]
name = b"run"
sys.stdout.buffer.write(
    b"\0asm\1\0\0\0"
    + section(1, vector([bytes([0x60, 1, I32, 1, I32])]))
    + section(3, vector([unsigned(0)] * len(functions)))
    + section(7, vector([unsigned(len(name)) + name + b"\0" + unsigned(len(functions) - 1)]))
    + section(10, vector(functions))
)
