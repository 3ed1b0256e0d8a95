#!/usr/bin/env python3
"""Writes vectors.json: values in the canonical ABI, computed by the specification's executable definition.

    generate.py DEFINITIONS > vectors.json

DEFINITIONS is `design/mvp/canonical-abi/definitions.py` of the repository WebAssembly/component-model. Each vector of `values` has a
type, a value, an encoding of strings, size, alignment and core types of the type, the bytes that storing the value at address 1024
leaves in memory, and the core values to which the value is lowered with the bytes of memory after that. Each vector of `transcodings`
has a string in one encoding, and what storing it in another one leaves in memory. Each vector of `transfers` has a value in the memory
of one guest, at address 1024 or in core values, and what another guest gets, by loading with the options of the first and storing with
those of the second. The first guest's padding is not zero, and its strings of `latin1+utf16` may be UTF-16 where Latin-1 would do.
`realloc` is a bump allocator that starts at 1024 or behind the value, shrinks in place, and otherwise moves.
"""

import importlib.util
import json
import random
import struct
import sys

START = 1024
ENCODINGS = ["utf8", "utf16", "latin1+utf16"]
spec = importlib.util.spec_from_file_location("definitions", sys.argv[1])
d = importlib.util.module_from_spec(spec)
sys.modules["definitions"] = d
spec.loader.exec_module(d)
random.seed(13)


class Cx(d.LiftLowerContext):
    """A memory with a bump allocator."""

    def __init__(self, encoding, start):
        memory = d.MemInst(bytearray(1 << 18), "i32")
        super().__init__(d.LiftLowerOptions(encoding, memory), None)
        self.free = start
        self.calls = 0

    def reallocate(self, old, old_size, align, size):
        self.calls += 1
        if old_size != 0 and size <= old_size:
            return old
        self.free = d.align_to(self.free, align)
        at = self.free
        self.free += size
        memory = self.opts.memory.bytes
        memory[at : at + old_size] = memory[old : old + old_size]
        return at

    def image(self):
        return bytes(self.opts.memory.bytes[START : self.free]).hex()


class Sender(Cx):
    """A guest that chooses among the representations of a string, and whose padding is not zero."""

    def __init__(self, encoding, start):
        super().__init__(encoding, start)
        self.opts.memory.bytes = bytearray(b"\xaa" * (1 << 18))


store_string_into_range = d.store_string_into_range


def chosen_string_into_range(cx, v):
    if not isinstance(cx, Sender) or cx.opts.string_encoding != "latin1+utf16" or random.random() < 0.5:
        return store_string_into_range(cx, v)
    encoded = v[0].encode("utf-16-le")
    ptr = cx.allocate(2, len(encoded))
    cx.opts.memory.bytes[ptr : ptr + len(encoded)] = encoded
    return ptr, len(encoded) // 2 | 1 << 31


d.store_string_into_range = chosen_string_into_range

PRIMITIVES = {
    "bool": d.BoolType, "s8": d.S8Type, "u8": d.U8Type, "s16": d.S16Type, "u16": d.U16Type, "s32": d.S32Type,
    "u32": d.U32Type, "s64": d.S64Type, "u64": d.U64Type, "f32": d.F32Type, "f64": d.F64Type, "char": d.CharType,
    "string": d.StringType,
}


def of(t):
    """The definition's type."""
    if t is None:
        return None
    if isinstance(t, str):
        return PRIMITIVES[t]()
    kind, *args = t
    match kind:
        case "list": return d.ListType(of(args[0]))
        case "fixed": return d.ListType(of(args[0]), args[1])
        case "map": return d.MapType(of(args[0]), of(args[1]))
        case "record": return d.RecordType([d.FieldType(n, of(f)) for n, f in args[0]])
        case "tuple": return d.TupleType([of(f) for f in args[0]])
        case "variant": return d.VariantType([d.CaseType(n, of(c)) for n, c in args[0]])
        case "many": return d.VariantType([d.CaseType(f"c{i}", of(args[1]) if i == args[0] - 1 else None) for i in range(args[0])])
        case "enum": return d.EnumType([f"c{i}" for i in range(args[0])])
        case "flags": return d.FlagsType([f"f{i}" for i in range(args[0])])
        case "option": return d.OptionType(of(args[0]))
        case "result": return d.ResultType(of(args[0]), of(args[1]))


def random_type(depth):
    kinds = ["primitive"] * 3 + ([] if depth == 0 else
        ["list", "list", "record", "record", "tuple", "variant", "variant", "enum", "flags", "option", "result", "map", "fixed"])
    part = lambda: random_type(depth - 1)
    match random.choice(kinds):
        case "primitive": return random.choice(list(PRIMITIVES))
        case "list": return ["list", part()]
        case "fixed": return ["fixed", part(), random.randint(1, 3)]
        case "map": return ["map", random.choice(["u8", "string", "u32", "char"]), part()]
        case "record": return ["record", [[f"r{i}", part()] for i in range(random.randint(1, 4))]]
        case "tuple": return ["tuple", [part() for _ in range(random.randint(1, 4))]]
        case "variant": return ["variant", [[f"v{i}", random.choice([None, part()])] for i in range(random.randint(1, 4))]]
        case "enum": return ["enum", random.randint(1, 5)]
        case "flags": return ["flags", random.choice([1, 3, 8, 9, 16, 17, 31, 32])]
        case "option": return ["option", part()]
        case "result": return ["result", random.choice([None, part()]), random.choice([None, part()])]


CHARS = "aZ09 éßÿ☃語🍰\u0000\uffff\U0010ffff"


def random_string():
    alphabet = random.choice(["aZ09", "aZé\u00ff", CHARS])
    return "".join(random.choice(alphabet) for _ in range(random.choice([0, 1, 3, 9])))


def random_value(t):
    """A value as it is written: numbers as such, floats by their bits, strings by their characters' codes."""
    if isinstance(t, str):
        match t:
            case "bool": return random.randint(0, 1)
            case "char": return ord(random.choice(CHARS))
            case "string": return [ord(c) for c in random_string()]
            case "f32": return struct.unpack("<I", struct.pack("<f", random.choice([0.0, -0.0, 1.5, -3.25e9, float("inf")])))[0]
            case "f64": return struct.unpack("<Q", struct.pack("<d", random.choice([0.0, -0.0, 1.5, -3.25e90, float("-inf")])))[0]
        bits = int(t[1:])
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if t[0] == "s" else (0, (1 << bits) - 1)
        return random.choice([low, high, low + 1, random.randint(low, high)])
    kind, *args = t
    match kind:
        case "list": return [random_value(args[0]) for _ in range(random.choice([0, 1, 3]))]
        case "fixed": return [random_value(args[0]) for _ in range(args[1])]
        case "map": return [[random_value(args[0]), random_value(args[1])] for _ in range(random.choice([0, 1, 3]))]
        case "record": return [random_value(f) for _, f in args[0]]
        case "tuple": return [random_value(f) for f in args[0]]
        case "variant":
            case = random.randrange(len(args[0]))
            payload = args[0][case][1]
            return [case, None if payload is None else random_value(payload)]
        case "many":
            case = random.choice([0, args[0] - 1])
            return [case, random_value(args[1]) if case == args[0] - 1 else None]
        case "enum": return random.choice([0, args[0] - 1])
        case "flags": return [random.randint(0, 1) for _ in range(args[0])]
        case "option": return [0, None] if random.random() < 0.3 else [1, random_value(args[0])]
        case "result":
            case = random.randint(0, 1)
            return [case, None if args[case] is None else random_value(args[case])]


def string_of(text, encoding):
    """The definition's string: text, encoding of the source, tagged number of code units."""
    units = len(text.encode("utf-16-le")) // 2
    match encoding:
        case "utf8": return (text, encoding, len(text.encode("utf-8")))
        case "utf16": return (text, encoding, units)
    if all(ord(c) < 256 for c in text):
        return (text, encoding, len(text))
    return (text, encoding, units | 1 << 31)


def given(t, v, encoding):
    """The definition's value."""
    if isinstance(t, str):
        match t:
            case "bool": return bool(v)
            case "char": return chr(v)
            case "string": return string_of("".join(map(chr, v)), encoding)
            case "f32": return struct.unpack("<f", struct.pack("<I", v))[0]
            case "f64": return struct.unpack("<d", struct.pack("<Q", v))[0]
        return v
    kind, *args = t
    match kind:
        case "list" | "fixed": return [given(args[0], e, encoding) for e in v]
        case "map": return [{"0": given(args[0], a, encoding), "1": given(args[1], b, encoding)} for a, b in v]
        case "record": return {n: given(f, e, encoding) for (n, f), e in zip(args[0], v)}
        case "tuple": return {str(i): given(f, e, encoding) for i, (f, e) in enumerate(zip(args[0], v))}
        case "variant":
            name, payload = args[0][v[0]]
            return {name: None if payload is None else given(payload, v[1], encoding)}
        case "many": return {f"c{v[0]}": None if v[1] is None else given(args[1], v[1], encoding)}
        case "enum": return {f"c{v}": None}
        case "flags": return {f"f{i}": bool(b) for i, b in enumerate(v)}
        case "option": return {"none": None} if v[0] == 0 else {"some": given(args[0], v[1], encoding)}
        case "result": return {["ok", "error"][v[0]]: None if v[1] is None else given(args[v[0]], v[1], encoding)}


def bits_of(value, core):
    match core:
        case "f32": return struct.unpack("<I", struct.pack("<f", value))[0]
        case "f64": return struct.unpack("<Q", struct.pack("<d", value))[0]
    return value


def value_vector(t):
    encoding = random.choice(ENCODINGS)
    v = random_value(t)
    ty, value = of(t), given(t, v, encoding)
    size, align = d.elem_size(ty, "i32"), d.alignment(ty, "i32")
    stored = Cx(encoding, START + size)
    d.store(stored, value, ty, START)
    lowered = Cx(encoding, START)
    flat = d.flatten_type(ty, lowered.opts)
    vector = {"type": t, "value": v, "encoding": encoding, "size": size, "align": align, "stored": stored.image(),
              "calls": stored.calls}
    if len(flat) <= 16:
        slots = [bits_of(slot, core) for slot, core in zip(d.lower_flat(lowered, value, ty), flat)]
        vector |= {"flat": flat, "slots": slots, "lowered": lowered.image()}
    return vector


def transcoding_vector(source, target, text):
    cx = Cx(target, START)
    ptr, units = d.store_string_into_range(cx, string_of(text, source))
    return {"from": source, "to": target, "text": [ord(c) for c in text], "ptr": ptr, "units": units,
            "image": cx.image(), "calls": cx.calls}


def transfer_vector(t, source, target):
    """A value that one guest passes to another one; None if it is large."""
    ty, value = of(t), given(t, random_value(t), source)
    size = d.elem_size(ty, "i32")
    flat = d.flatten_type(ty, Cx(source, START).opts)
    vector = {"type": t, "from": source, "to": target}
    if len(flat) > 16 or random.random() < 0.6:
        sender, receiver = Sender(source, START + size), Cx(target, START + size)
        d.store(sender, value, ty, START)
        d.store(receiver, d.load(sender, START, ty), ty, START)
    else:
        sender, receiver = Sender(source, START), Cx(target, START)
        slots = d.lower_flat(sender, value, ty)
        passed = d.lower_flat(receiver, d.lift_flat(sender, d.CoreValueIter(slots), ty), ty)
        bits = lambda slots: [bits_of(slot, core) for slot, core in zip(slots, flat)]
        vector |= {"slots": bits(slots), "passed": bits(passed)}
    vector |= {"sent": sender.image(), "received": receiver.image(), "calls": receiver.calls}
    return vector if len(sender.image()) + len(receiver.image()) < 700 else None


def transfer_vectors(source, target):
    """Three strings, then values of other types, of which half contain strings."""
    vectors = [transfer_vector("string", source, target) for _ in range(3)]
    while len(vectors) < 36:
        t = random_type(3)
        if (len(vectors) % 2 == 0 or '"string"' in json.dumps(t)) and (vector := transfer_vector(t, source, target)):
            vectors.append(vector)
    return vectors


FIXED = [
    ["enum", 1], ["enum", 255], ["enum", 256], ["enum", 257], ["enum", 65536], ["enum", 65537],
    ["many", 256, "u8"], ["many", 257, "u8"], ["many", 257, "u64"], ["many", 65536, "u16"], ["many", 65537, "u16"],
    ["flags", 1], ["flags", 7], ["flags", 8], ["flags", 9], ["flags", 15], ["flags", 16], ["flags", 17], ["flags", 32],
    ["variant", [["a", "u32"], ["b", "f32"]]], ["variant", [["a", "u64"], ["b", "f32"], ["c", "string"]]],
    ["variant", [["a", "f32"], ["b", "f64"]]], ["tuple", ["u8"] * 16], ["tuple", ["u8"] * 17], ["tuple", ["string"] * 8],
    ["list", ["tuple", ["u32", "u32"]]], ["list", ["tuple", ["u8", "u32"]]], ["list", "bool"], ["list", "char"],
]

if __name__ == "__main__":
    values = [value_vector(t) for t in FIXED for _ in range(2)]
    while len(values) < 200:
        vector = value_vector(random_type(3))
        if len(vector["stored"]) < 800:
            values.append(vector)
    texts = ["", "a", "plain text", "é", "aé", "éa\u00ff", "☃", "a☃é", "🍰", "ab🍰c", "ÿ" * 5, "語" * 4, "a" * 9 + "é", "é" * 9 + "☃"]
    transcodings = [transcoding_vector(a, b, text) for a in ENCODINGS for b in ENCODINGS for text in texts]
    transfers = [vector for a in ENCODINGS for b in ENCODINGS for vector in transfer_vectors(a, b)]
    dump = lambda all: "[\n" + ",\n".join(json.dumps(v, separators=(",", ":")) for v in all) + "\n]"
    print('{"values":' + dump(values) + ',\n"transcodings":' + dump(transcodings) + ',\n"transfers":' + dump(transfers) + "}")
