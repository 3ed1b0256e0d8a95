//! Executes every atomic operator in every configuration, and compares its result, the memory afterwards, and its traps with
//! what the operator's name says.
//!
//! Each operator accesses three kinds of memory: memory 0, which may be guard-paged, another memory, and one with 64-bit
//! addresses.

use wasmr::{Instance, Memory, Module, Store, TrapCode, Val, ValType};
use wasmr_core::op::{Op, Shape};

use crate::configurations::{MAX_COMPILED_SIZE, configurations};
use crate::name;

/// Pages of each memory, and the address after its last byte.
const PAGES: u64 = 2;
const END: u64 = PAGES << 16;

const VALUES: [u64; 6] = [0, 1, 0x80, 0x1122_3344_5566_7788, 0xffff_ffff_ffff_ff11, u64::MAX];

/// An atomic operator of the table.
struct Atomic {
    op: Op,
    /// The operation: `load`, `store`, `cmpxchg`, `add`, ….
    what: &'static str,
    bytes: u64,
    ty: ValType,
}

fn atomics() -> Vec<Atomic> {
    let shapes = [Shape::AtomicLoad, Shape::AtomicStore, Shape::AtomicRmw, Shape::AtomicCmpxchg];
    let of = |&op: &Op| {
        let info = op.info();
        let rest = info.name.rsplit('.').next().expect("a name has parts").trim_end_matches("_u");
        let what = rest.trim_end_matches(char::is_numeric);
        let ty = if info.name.starts_with("i32") { ValType::I32 } else { ValType::I64 };
        shapes.contains(&info.shape).then(|| Atomic { op, what, bytes: info.access.unwrap().bytes.into(), ty })
    };
    Op::ALL.iter().filter_map(of).collect()
}

impl Atomic {
    fn operands(&self) -> usize {
        self.op.info().operands.len()
    }

    /// Returns the result and the word at the address afterwards, for the word before.
    fn meaning(&self, word: u64, operands: &[u64]) -> (Option<u64>, u64) {
        let mask = u64::MAX >> (64 - 8 * self.bytes);
        let old = word & mask;
        let [a, b] = [0, 1].map(|index| operands.get(index).map_or(0, |operand| operand & mask));
        let new = match self.what {
            "load" => old,
            "store" | "xchg" => a,
            "add" => old.wrapping_add(a),
            "sub" => old.wrapping_sub(a),
            "and" => old & a,
            "or" => old | a,
            "xor" => old ^ a,
            "cmpxchg" => {
                if old == a {
                    b
                } else {
                    old
                }
            }
            other => panic!("unknown operation {other}"),
        };
        ((self.what != "store").then_some(old), word & !mask | new & mask)
    }

    /// Returns a function `memory.operands` for each memory, with an offset, and with operands as parameters or constants.
    fn functions(&self, memory: usize, offset: u64) -> String {
        let (info, ty, address) = (self.op.info(), name(self.ty), ADDRESSES[memory]);
        let params = format!("(param {address}){}", format!(" (param {ty})").repeat(self.operands()));
        let operands: String = (1..=self.operands()).map(|index| format!(" (local.get {index})")).collect();
        let result = info.result.map_or(String::new(), |_| format!(" (result {ty})"));
        let access = |at: &str| format!("({} {memory} offset={offset} {at}{operands})", info.name);
        format!(
            "(func (export \"{memory}\") {params}{result} {})
             (func (export \"{memory} constant\") {params}{result} {})",
            access("(local.get 0)"),
            access(&format!("({address}.const {})", 16 - offset.min(8)))
        )
    }
}

/// Types of the addresses of the three memories.
const ADDRESSES: [&str; 3] = ["i32", "i32", "i64"];

fn value(ty: ValType, slot: u64) -> Val {
    if ty == ValType::I32 { Val::I32(slot as i32) } else { Val::I64(slot as i64) }
}

fn slot(value: Val) -> u64 {
    match value {
        Val::I32(value) => value as u32 as u64,
        Val::I64(value) => value as u64,
        other => panic!("{other:?} is no integer"),
    }
}

/// Calls an export. Returns its result, if it has one, or its trap.
fn call(
    store: &mut Store<()>,
    instance: Instance,
    export: &str,
    args: &[Val],
    results: usize,
) -> Result<Option<u64>, TrapCode> {
    let function = instance.get_func(&*store, export).expect("the export exists");
    let mut values = vec![Val::I32(0); results];
    match function.call(store, args, &mut values) {
        Ok(()) => Ok(values.pop().map(slot)),
        Err(stop) => Err(stop.trap_code().expect("only traps end a call")),
    }
}

#[test]
fn atomic_operators() {
    let atomics = atomics();
    assert_eq!(atomics.len(), 63);
    for configuration in configurations(MAX_COMPILED_SIZE) {
        let engine = configuration.engine();
        for atomic in &atomics {
            // An offset that is a multiple of the size, and one that is not unless the size is 1.
            for offset in [0, 3, 8] {
                let functions: String = (0..3).map(|memory| atomic.functions(memory, offset)).collect();
                let text = format!(
                    "(module (memory (export \"m0\") {PAGES}) (memory (export \"m1\") {PAGES})
                     (memory (export \"m2\") i64 {PAGES}) {functions})"
                );
                let module = Module::new(&engine, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).expect("the module links");
                for memory in 0..3 {
                    check(&configuration.name, atomic, &mut store, instance, memory, offset);
                }
            }
        }
    }
}

/// Checks an operator on one memory of an instance.
fn check(configuration: &str, atomic: &Atomic, store: &mut Store<()>, instance: Instance, memory: usize, offset: u64) {
    let Atomic { op, bytes, ty, .. } = *atomic;
    let what = format!("[{configuration}] {} of memory {memory} with offset {offset}", op.info().name);
    let object: Memory = instance.get_memory(&*store, &format!("m{memory}")).expect("the memory is exported");
    let results = usize::from(op.info().result.is_some());
    let arguments = |address: u64, operands: &[u64]| -> Vec<Val> {
        let address = value(if memory == 2 { ValType::I64 } else { ValType::I32 }, address);
        std::iter::once(address).chain(operands.iter().map(|&operand| value(ty, operand))).collect()
    };
    let aligned = offset.next_multiple_of(bytes) - offset;
    let at = 16 + aligned;
    for before in VALUES {
        for a in VALUES {
            for b in [0, 0x5a5a_5a5a_5a5a_5a5a] {
                let operands = &[a, b][..atomic.operands()];
                for (export, address) in [(format!("{memory}"), at), (format!("{memory} constant"), 16 - offset.min(8))]
                {
                    let place = address + offset;
                    if !place.is_multiple_of(bytes) {
                        continue;
                    }
                    object.write(&mut *store, place, &before.to_le_bytes()).expect("the place is inside");
                    let result = call(store, instance, &export, &arguments(address, operands), results);
                    let mut after = [0; 8];
                    object.read(&*store, place, &mut after).expect("the place is inside");
                    let (expected, word) = atomic.meaning(before, operands);
                    let shown = format!("{what} at {address}: {before:#x} with {operands:x?}");
                    assert_eq!(result, Ok(expected), "{shown}");
                    assert_eq!(u64::from_le_bytes(after), word, "{shown}");
                }
            }
        }
    }
    let export = format!("{memory}");
    let operands = vec![0; atomic.operands()];
    let mut trap = |address: u64| call(store, instance, &export, &arguments(address, &operands), results).map(drop);
    // The last cell, then addresses behind it. Of two reasons for a trap the alignment comes first.
    let end = END - offset;
    assert_eq!(trap(end - bytes), Ok(()), "{what}");
    assert_eq!(trap(end), Err(TrapCode::MemoryOutOfBounds), "{what}");
    let top = if memory == 2 { u64::MAX } else { u32::MAX.into() };
    let last = top - (top.wrapping_add(offset)) % bytes;
    assert_eq!(trap(last), Err(TrapCode::MemoryOutOfBounds), "{what} at {last:#x}");
    for misaligned in 1..bytes {
        assert_eq!(trap(at + misaligned), Err(TrapCode::UnalignedAtomic), "{what} at {}", at + misaligned);
        assert_eq!(trap(end + misaligned), Err(TrapCode::UnalignedAtomic), "{what} at {}", end + misaligned);
    }
}

#[test]
fn offsets_that_no_memory_reaches() {
    const TEXT: &str = r#"(module (memory 1) (memory $far i64 1)
        (func (export "load") (param i64) (result i64) (i64.atomic.load $far offset=0xffffffffffffffff (local.get 0)))
        (func (export "add") (param i64) (result i64)
            (i64.atomic.rmw.add $far offset=0xfffffffffffffff8 (local.get 0) (i64.const 1)))
        (func (export "notify") (param i64) (result i32)
            (memory.atomic.notify $far offset=0xfffffffffffffffc (local.get 0) (i32.const 1)))
        (func (export "notify32") (param i32) (result i32)
            (memory.atomic.notify offset=0xffffffff (local.get 0) (i32.const 1))))"#;
    let (out, unaligned) = (Err(TrapCode::MemoryOutOfBounds), Err(TrapCode::UnalignedAtomic));
    for configuration in configurations(MAX_COMPILED_SIZE) {
        let engine = configuration.engine();
        let module = Module::new(&engine, TEXT).expect("the module is valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("the module links");
        let mut call = |export, address| call(&mut store, instance, export, &[address], 1).map(drop);
        let what = &configuration.name;
        assert_eq!(call("load", Val::I64(0)), unaligned, "{what}");
        assert_eq!(call("load", Val::I64(1)), out, "{what}");
        assert_eq!(call("load", Val::I64(9)), out, "{what}");
        assert_eq!(call("add", Val::I64(0)), out, "{what}");
        assert_eq!(call("add", Val::I64(8)), out, "{what}");
        assert_eq!(call("add", Val::I64(4)), unaligned, "{what}");
        assert_eq!(call("notify", Val::I64(0)), out, "{what}");
        assert_eq!(call("notify", Val::I64(4)), out, "{what}");
        assert_eq!(call("notify", Val::I64(2)), unaligned, "{what}");
        assert_eq!(call("notify32", Val::I32(0)), unaligned, "{what}");
        assert_eq!(call("notify32", Val::I32(1)), out, "{what}");
        assert_eq!(call("notify32", Val::I32(-3)), out, "{what}");
    }
}
