//! Compares `memory.copy`, `memory.fill` and `memory.init` with a model in which memories are arrays. The sizes are those for
//! which some tier has special code, as constants and as parameters. The memories are of 32 and 64 bits, guard-paged and
//! checked.
//!
//! The ranges touch the ends of memories, reach one byte beyond, overlap in both directions, and wrap around. An operator that
//! traps leaves every byte as it was. Its message and place are the same as in the interpreter.

use std::fmt::Write;

use wasmr::{Config, Engine, Instance, Memory, MemoryStrategy, Module, Store, TrapCode, Val};

use crate::configurations::configurations;

const PAGE: u64 = 65_536;

/// Sizes around each size at which some tier's code for the move changes.
const SIZES: &[u64] =
    &[0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 20, 31, 32, 33, 48, 49, 63, 64, 65, 100, 127, 128, 129, 300];

/// The memories of the module: true for a 64-bit memory. The last memory is empty.
const MEMORIES: [bool; 4] = [false, false, true, false];

/// Operand of `memory.fill`. Only its low byte counts.
const FILL: i32 = 0x1234_56a7;

/// Returns the bytes of the data segment, of which none equals the byte before it.
fn segment() -> Vec<u8> {
    (0..400u32).map(|n| (n * 37 + n / 7) as u8).collect()
}

/// Returns the contents of a memory at the start of each call.
fn pattern(memory: usize) -> Vec<u8> {
    let len = if memory == 3 { 0 } else { PAGE };
    (0..len).map(|n| (n * 73 + n / 251 + memory as u64 * 11) as u8).collect()
}

/// One function of the module: an operator on these memories, with a constant size or the size as a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Copy { dst: usize, src: usize, size: Option<u64> },
    Fill { dst: usize, size: Option<u64>, constant: bool },
    Init { dst: usize, from: Option<u32>, size: Option<u64>, dropped: bool },
}

fn ops() -> Vec<Op> {
    let sizes = || SIZES.iter().map(|&size| Some(size)).chain([None]);
    let mut ops = Vec::new();
    for (dst, src) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (0, 2), (2, 0)] {
        ops.extend(sizes().map(|size| Op::Copy { dst, src, size }));
    }
    for (dst, src) in [(3, 0), (0, 3), (3, 3)] {
        ops.extend([None, Some(0), Some(1)].map(|size| Op::Copy { dst, src, size }));
    }
    for dst in 0..MEMORIES.len() {
        for constant in [false, true] {
            ops.extend(sizes().map(|size| Op::Fill { dst, size, constant }));
        }
        for from in [Some(0), Some(3), Some(400), Some(u32::MAX), None] {
            ops.extend(sizes().map(|size| Op::Init { dst, from, size, dropped: false }));
        }
        ops.extend([None, Some(0), Some(8)].map(|size| Op::Init { dst, from: Some(0), size, dropped: true }));
    }
    ops
}

impl Op {
    fn size(self) -> Option<u64> {
        match self {
            Op::Copy { size, .. } | Op::Fill { size, .. } | Op::Init { size, .. } => size,
        }
    }

    /// Returns the index of the memory that the operator writes.
    fn dst(self) -> usize {
        match self {
            Op::Copy { dst, .. } | Op::Fill { dst, .. } | Op::Init { dst, .. } => dst,
        }
    }

    /// Returns the function as text. Its parameters are destination, source and size, as 64-bit numbers.
    fn text(self, name: usize) -> String {
        let narrow =
            |is64: bool, operand: &str| if is64 { operand.to_owned() } else { format!("(i32.wrap_i64 {operand})") };
        let size = |is64: bool| match self.size() {
            Some(size) => format!("({}.const {size})", if is64 { "i64" } else { "i32" }),
            None => narrow(is64, "(local.get 2)"),
        };
        let body = match self {
            Op::Copy { dst, src, .. } => format!(
                "(memory.copy {dst} {src} {} {} {})",
                narrow(MEMORIES[dst], "(local.get 0)"),
                narrow(MEMORIES[src], "(local.get 1)"),
                size(MEMORIES[dst] && MEMORIES[src])
            ),
            Op::Fill { dst, constant, .. } => {
                let value = if constant { format!("(i32.const {FILL})") } else { narrow(false, "(local.get 1)") };
                let dst_operand = narrow(MEMORIES[dst], "(local.get 0)");
                format!("(memory.fill {dst} {dst_operand} {value} {})", size(MEMORIES[dst]))
            }
            Op::Init { dst, from, dropped, .. } => {
                let from =
                    from.map_or_else(|| narrow(false, "(local.get 1)"), |from| format!("(i32.const {})", from as i32));
                let segment = if dropped { "$dropped" } else { "$kept" };
                format!(
                    "(memory.init {dst} {segment} {} {from} {})",
                    narrow(MEMORIES[dst], "(local.get 0)"),
                    size(false)
                )
            }
        };
        format!("(func (export \"{name}\") (param i64 i64 i64) {body})\n")
    }

    /// Applies the operator to arrays. Returns false if it traps.
    fn model(self, memories: &mut [Vec<u8>], segment: &[u8], dst_at: u64, src_at: u64, size: u64) -> bool {
        let within = |start: u64, len: usize| {
            let end = start.checked_add(size).filter(|&end| end <= len as u64);
            end.map(|end| start as usize..end as usize)
        };
        let address = |memory: usize, at: u64| if MEMORIES[memory] { at } else { at & 0xffff_ffff };
        match self {
            Op::Copy { dst, src, .. } => {
                let from = within(address(src, src_at), memories[src].len());
                let to = within(address(dst, dst_at), memories[dst].len());
                let (Some(from), Some(to)) = (from, to) else { return false };
                let bytes = memories[src][from].to_vec();
                memories[dst][to].copy_from_slice(&bytes);
            }
            Op::Fill { dst, .. } => {
                let Some(to) = within(address(dst, dst_at), memories[dst].len()) else { return false };
                memories[dst][to].fill(FILL as u8);
            }
            Op::Init { dst, from, dropped, .. } => {
                let bytes = if dropped { &[][..] } else { segment };
                let from = within(from.map_or(src_at & 0xffff_ffff, u64::from), bytes.len());
                let to = within(address(dst, dst_at), memories[dst].len());
                let (Some(from), Some(to)) = (from, to) else { return false };
                memories[dst][to].copy_from_slice(&bytes[from]);
            }
        }
        true
    }

    /// Returns pairs of destination and source to try with a size.
    fn places(self, size: u64) -> Vec<(u64, u64)> {
        let end = PAGE.wrapping_sub(size);
        match self {
            Op::Copy { .. } => vec![
                (0, 1000),
                (1000, 1000),
                (1001, 1000),
                (1000, 1001),
                (1007, 1000),
                (1000, 1030),
                (end, 0),
                (end.wrapping_add(1), 0),
                (0, end),
                (0, end.wrapping_add(1)),
                (end, end.wrapping_sub(1)),
                (PAGE, 0),
                (PAGE, PAGE),
                (PAGE + 1, 0),
                (0, PAGE + 1),
                (u64::MAX, 0),
                (0, u64::MAX - 2),
                (1 << 32, 5),
            ],
            Op::Fill { .. } => [0, 1, 1003, end, end.wrapping_add(1), PAGE, PAGE + 1, u64::MAX, u64::MAX - 15, 1 << 32]
                .map(|dst| (dst, FILL as u64))
                .to_vec(),
            Op::Init { .. } => [0, 1003, end, end.wrapping_add(1), PAGE, PAGE + 1, u64::MAX]
                .into_iter()
                .flat_map(|dst| [0, 5, 400u64.wrapping_sub(size), 401u64.wrapping_sub(size)].map(|src| (dst, src)))
                .collect(),
        }
    }
}

fn module() -> String {
    let mut text = "(module\n".to_owned();
    for (index, is64) in MEMORIES.into_iter().enumerate() {
        let ty = if is64 { "i64" } else { "" };
        let _ = writeln!(text, "(memory (export \"m{index}\") {ty} {})", u8::from(index != 3));
    }
    let bytes: String = segment().iter().map(|byte| format!("\\{byte:02x}")).collect();
    let _ = writeln!(text, "(data $kept \"{bytes}\") (data $dropped \"{bytes}\")");
    text += "(func (export \"drop\") (data.drop $dropped))\n";
    for (index, op) in ops().into_iter().enumerate() {
        text += &op.text(index);
    }
    text + ")"
}

/// Makes every call of the functions that `is_tried` selects, in one configuration. Returns the messages of the calls that
/// trapped. `sizes` are for functions with the size as a parameter.
fn run(config: &Config, name: &str, sizes: &[u64], is_tried: impl Fn(Op) -> bool) -> Vec<String> {
    let engine = Engine::new(config);
    let module = Module::new(&engine, module().as_bytes()).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let drop = instance.get_func(&store, "drop").unwrap();
    drop.call(&mut store, &[], &mut []).unwrap();
    let objects: Vec<Memory> =
        (0..MEMORIES.len()).map(|index| instance.get_memory(&store, &format!("m{index}")).unwrap()).collect();
    let patterns: Vec<Vec<u8>> = (0..MEMORIES.len()).map(pattern).collect();
    let segment = segment();
    let mut model = patterns.clone();
    for (object, pattern) in objects.iter().zip(&patterns) {
        object.data_mut(&mut store).copy_from_slice(pattern);
    }
    let mut ends = Vec::new();
    for (index, op) in ops().into_iter().enumerate().filter(|(_, op)| is_tried(*op)) {
        let func = instance.get_func(&store, &index.to_string()).unwrap();
        let sizes = op.size().map_or_else(|| sizes.to_vec(), |size| vec![size]);
        for size in sizes {
            for (dst, src) in op.places(size) {
                let case = || format!("{name}: {op:?}, {dst:#x} {src:#x} {size}");
                let args = [dst, src, size].map(|word| Val::I64(word as i64));
                let outcome = func.call(&mut store, &args, &mut []);
                let returns = op.model(&mut model, &segment, dst, src, size);
                assert_eq!(outcome.is_ok(), returns, "{}", case());
                let data = objects[op.dst()].data_mut(&mut store);
                assert!(*data == *model[op.dst()], "{}: the bytes are wrong", case());
                data.copy_from_slice(&patterns[op.dst()]);
                model[op.dst()].copy_from_slice(&patterns[op.dst()]);
                if let Err(stop) = outcome {
                    assert_eq!(stop.trap_code(), Some(TrapCode::MemoryOutOfBounds), "{}", case());
                    ends.push(stop.to_string());
                }
            }
        }
        for (object, pattern) in objects.iter().zip(&patterns) {
            assert!(object.data(&store) == pattern, "{name}: {op:?}: another memory changed");
        }
    }
    ends
}

#[test]
fn small_ranges_are_moved_and_checked_the_same_in_all_configurations() {
    for strategy in [MemoryStrategy::Guarded, MemoryStrategy::Checked] {
        let mut expected: Option<Vec<String>> = None;
        for mut configuration in configurations(usize::MAX) {
            configuration.config.memory_strategy(strategy);
            let ends = run(&configuration.config, &configuration.name, SIZES, |_| true);
            assert!(ends.len() > 1000, "there must be more than 1000 traps");
            let expected = expected.get_or_insert_with(|| ends.clone());
            assert!(*expected == ends, "{}, {strategy:?}: traps differ in message or place", configuration.name);
        }
    }
}

#[test]
fn every_size_with_special_code() {
    let sizes: Vec<u64> = (0..=130).collect();
    for strategy in [MemoryStrategy::Guarded, MemoryStrategy::Checked] {
        // The tiered configurations execute no code that the others do not.
        for mut configuration in
            configurations(usize::MAX).into_iter().filter(|configuration| !configuration.name.starts_with("tiered"))
        {
            configuration.config.memory_strategy(strategy);
            run(&configuration.config, &configuration.name, &sizes, |op| op.size().is_none());
        }
    }
}
