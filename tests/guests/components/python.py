"""A Python program as a component, made by componentize-py. It uses WASI through CPython's library, and exports functions over
values of most kinds.

The program prints its arguments, environment and input, and what became of some calls; nothing of it depends on the machine or
the time. `/w` must be an empty directory, and stays empty. The last argument is the exit code: 0 for a return, 1 for a failure of
`run`, others by `exit-with-code`.
"""

import errno
import hashlib
import json
import math
import os
import random
import re
import shutil
import sys
import time
import zlib

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.shapes import Detail, Shape_Circle, Shape_Polygon, Unit
from wit_world.imports.exit import exit_with_code


def library():
    """Calls parts of the standard library, most of which are modules of their own in C."""
    people = [{"name": f"n{n * 7919 % 1009}", "share": n / 7, "tags": {"even": n % 2 == 0}} for n in range(300)]
    text = json.dumps(people, sort_keys=True)
    print("json:", len(text), json.loads(text) == people)
    print("sha256:", hashlib.sha256(text.encode()).hexdigest()[:16])
    print("zlib:", zlib.crc32(text.encode()), zlib.decompress(zlib.compress(text.encode())) == text.encode())
    print("re:", len(re.findall(r'"n(\d)\d*\1"', text)), re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"))
    print("random:", random.Random(7).randrange(10**6), sorted(random.Random(7).sample(range(100), 5)))
    print("integers:", 3**200 % 10**12, math.isqrt(2 * 10**40))


def attempt(what, call):
    """Prints the result of a call, or the name of its error."""
    try:
        print(f"{what}:", call())
    except OSError as error:
        print(f"{what}:", errno.errorcode.get(error.errno, error.errno))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text, mode="w"):
    with open(path, mode, encoding="utf-8") as file:
        return file.write(text)


def update(path):
    """Overwrites a part of a file, cuts off its end and returns how far it got."""
    with open(path, "r+b") as file:
        file.seek(4)
        file.write(b"FIVE")
        file.truncate(10)
        return file.seek(0, os.SEEK_END)


def files():
    attempt("mkdir", lambda: os.makedirs("/w/a/b"))
    attempt("mkdir again", lambda: os.mkdir("/w/a"))
    attempt("write", lambda: write("/w/a/one.txt", "one\ntwo\nthree\n"))
    attempt("append", lambda: write("/w/a/one.txt", "grüße\n", "a"))
    attempt("read", lambda: read("/w/a/one.txt").splitlines())
    attempt("create again", lambda: write("/w/a/one.txt", "", "x"))
    attempt("update", lambda: update("/w/a/one.txt"))
    attempt("read", lambda: read("/w/a/one.txt"))
    attempt("stat", lambda: os.stat("/w/a/one.txt").st_size)
    attempt("rename", lambda: os.rename("/w/a/one.txt", "/w/a/b/moved.txt"))
    attempt("symlink", lambda: os.symlink("b/moved.txt", "/w/a/soft"))
    attempt("readlink", lambda: os.readlink("/w/a/soft"))
    attempt("large", lambda: write("/w/large", "0123456789abcde\n" * 65536))
    attempt("large sum", lambda: zlib.crc32(read("/w/large").encode()))
    attempt("walk", lambda: [(at, sorted(folders), sorted(names)) for at, folders, names in sorted(os.walk("/w"))])
    attempt("rmdir full", lambda: os.rmdir("/w/a"))
    attempt("open missing", lambda: read("/w/missing"))
    attempt("open a directory", lambda: read("/w/a"))
    attempt("open outside", lambda: read("/w/../outside"))
    attempt("open not granted", lambda: os.listdir("/etc"))
    attempt("remove", lambda: (shutil.rmtree("/w/a"), os.remove("/w/large")))
    attempt("list", lambda: os.listdir("/w"))


def clocks_and_random():
    before = time.monotonic_ns()
    time.sleep(0.01)
    print("sleep:", time.monotonic_ns() - before >= 10_000_000)
    print("wall clock:", time.time() > 1_700_000_000, time.gmtime(86_400)[:3])
    print("random bytes:", len(os.urandom(100)), os.urandom(16) != os.urandom(16))


class Run(exports.Run):
    def run(self):
        print("arguments:", sys.argv[1:])
        print("environment:", sorted(os.environ.items()))
        library()
        files()
        clocks_and_random()
        lines = sys.stdin.read().splitlines()
        print("input:", len(lines), lines[:3])
        print("to standard error", file=sys.stderr)
        sys.stdout.flush()
        code = int(sys.argv[-1])
        if code == 1:
            raise Err(None)
        if code:
            exit_with_code(code)


class Shapes(exports.Shapes):
    def describe(self, shapes, unit, detail, title):
        if not shapes:
            raise Err("there are no shapes")
        square = 1.0 if unit == Unit.METRE else 0.0254**2
        rows = [(title, 0.0)] if title is not None else []
        for shape in shapes:
            match shape:
                case Shape_Circle(radius):
                    text, area = "circle", math.pi * radius * radius
                case Shape_Polygon(points):
                    if len(points) < 3:
                        raise Err(f"a polygon has {len(points)} corners")
                    text = f"polygon of {len(points)}" if Detail.CORNERS in detail else "polygon"
                    pairs = zip(points, points[1:] + points[:1])
                    area = abs(sum(a.x * b.y - b.x * a.y for a, b in pairs)) / 2
                case _:
                    text, area = "nothing", 0.0
            rows.append((text, area * square if Detail.AREA in detail else 0.0))
        return rows

    def total(self, bytes):
        return sum(bytes), bytes[::-1]

    def letters(self, text):
        return [(letter, ord(letter)) for letter in text]
