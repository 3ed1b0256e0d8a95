//! The dispatch of an interpreter's loop, of which each opcode's code has a copy.

use wasmr_core::trap::TrapCode;
use wasmr_jit::Entry;
use wasmr_runtime::Instance;

use crate::world::{Running, World};

/// A byte-code machine of ten opcodes and an accumulator. It reads the next opcode at the start of its loop, where it also counts
/// down and may trap. Opcode 9 ends the program.
const MACHINE: &str = r#"(module
    (memory (export "memory") 1)
    (data (i32.const 16) "\00\01\02\03\04\05\06\07\08\05\04\03\02\01\00\08\07\06\05\01\09")
    (func (export "run") (param $at i32) (param $rounds i32) (result i32) (local $sum i32) (local $opcode i32)
        (loop $next
            (if (i32.eqz (local.get $rounds)) (then (return (i32.const -1))))
            (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
            (local.set $opcode (i32.load8_u (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (block $9 (block $8 (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
                (br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 (local.get $opcode)))
                (local.set $sum (i32.add (local.get $sum) (i32.const 1))) (br $next))
                (local.set $sum (i32.mul (local.get $sum) (i32.const 3))) (br $next))
                (local.set $sum (i32.xor (local.get $sum) (local.get $at))) (br $next))
                (local.set $sum (i32.sub (local.get $sum) (i32.const 5))) (br $next))
                (local.set $sum (i32.rotl (local.get $sum) (i32.const 7))) (br $next))
                (local.set $sum (i32.or (local.get $sum) (i32.const 0x100))) (br $next))
                (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 16)))) (br $next))
                (local.set $sum (i32.shl (local.get $sum) (i32.const 1))) (br $next))
                (local.set $sum (i32.popcnt (local.get $sum))) (br $next)))
        (local.get $sum)))"#;

/// The same program as a function of the host.
fn expected(program: &[u8], word: u32) -> u32 {
    let mut sum = 0_u32;
    for (at, opcode) in program.iter().enumerate() {
        sum = match opcode {
            0 => sum.wrapping_add(1),
            1 => sum.wrapping_mul(3),
            2 => sum ^ (at as u32 + 17),
            3 => sum.wrapping_sub(5),
            4 => sum.rotate_left(7),
            5 => sum | 0x100,
            6 => sum.wrapping_add(word),
            7 => sum << 1,
            8 => sum.count_ones(),
            _ => return sum,
        };
    }
    unreachable!("the program ends")
}

#[test]
fn opcodes_are_executed_in_order() {
    let program = [0, 1, 2, 3, 4, 5, 6, 7, 8, 5, 4, 3, 2, 1, 0, 8, 7, 6, 5, 1, 9];
    let mut running = Running::new(MACHINE);
    let result: u32 = running.call("run", (16, 1000));
    assert_eq!(result, expected(&program, 0x0302_0100));
    // The branch in the dispatch, at each of the opcodes.
    for rounds in 0..program.len() as i32 {
        assert_eq!(running.call::<_, i32>("run", (16, rounds)), -1);
    }
}

#[test]
fn a_trap_in_a_copy_is_the_trap_of_its_operator() {
    let mut running = Running::new(MACHINE);
    let offset = |running: &mut Running, at: i32| {
        let stop = running.try_call::<_, i32>("run", (at, i32::MAX)).unwrap_err();
        assert_eq!(stop.trap_code(), Some(TrapCode::MemoryOutOfBounds));
        let frames = &stop.backtrace().unwrap().frames;
        assert_eq!(frames.len(), 1);
        frames[0].offset()
    };
    // The first opcode is out of bounds, then one after 65519 times opcode 0, of which a copy of the dispatch reads it.
    let first = offset(&mut running, 65536);
    assert!(first.is_some());
    assert_eq!(offset(&mut running, 37), first);
}

/// The machine with code that a hint calls rare in the opcodes 1 and 3. This code is laid out after all other blocks.
fn machine_with_rare_code() -> String {
    let mut machine = MACHINE.to_owned();
    for operator in ["i32.mul (local.get $sum) (i32.const 3)", "i32.sub (local.get $sum) (i32.const 5)"] {
        let set = format!("(local.set $sum ({operator}))");
        let rare = r#"(@metadata.code.branch_hint "\00")
            (if (i32.eq (local.get $sum) (i32.const 0x12345678)) (then (local.set $sum (i32.load (i32.const 44)))))"#;
        assert!(machine.contains(&set));
        machine = machine.replace(&set, &format!("{set} {rare}"));
    }
    machine
}

/// Returns the number of jumps to an address in a register.
fn table_jumps(machine_code: &[u8]) -> usize {
    machine_code.windows(2).filter(|bytes| bytes[0] == 0xff && bytes[1] & 0xf8 == 0xe0).count()
}

#[test]
fn rare_code_prevents_no_copies() {
    let machine = machine_with_rare_code();
    for text in [MACHINE, &machine] {
        let world = World::new();
        let (module, code) = world.module_with_image(text, None);
        let mut store = world.store(());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut running = Running { store, instance };
        let program = [0, 1, 2, 3, 4, 5, 6, 7, 8, 5, 4, 3, 2, 1, 0, 8, 7, 6, 5, 1, 9];
        assert_eq!(running.call::<_, u32>("run", (16, 1000)), expected(&program, 0x0302_0100));
        let machine_code = code.jit().examine(0, Entry::Start).unwrap().code;
        let table_jumps = table_jumps(&machine_code);
        assert!(table_jumps >= 10, "one for each opcode but the last, and the one to begin with: {table_jumps}");
    }
}

/// A state machine that reads bytes of a text. Its ten states join before the test for the end of the text, and three more tests are
/// before the `br_table`. The first comma ends it, too. Returns a sum and the last state.
fn state_machine(text: &str) -> String {
    let labels: String = (0..10).map(|state| format!("$s{state} ")).collect();
    let mut states = format!("(br_table {labels} (local.get $state))");
    for state in 0..10 {
        states = format!(
            "(block $s{state} {states})
            (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const {})) (local.get $byte)))
            (local.set $state (i32.rem_u (i32.add (local.get $byte) (i32.const {state})) (i32.const 10)))
            (br $joined)",
            2 * state + 3
        );
    }
    format!(
        r#"(module
        (memory 1)
        (data (i32.const 16) "{text}")
        (func (export "run") (param $at i32) (param $end i32) (result i32 i32)
            (local $state i32) (local $byte i32) (local $sum i32)
            (block $out (loop $next
                (br_if $out (i32.eqz (local.tee $byte (i32.load8_u (local.get $at)))))
                (br_if $out (i32.gt_u (local.get $state) (i32.const 9)))
                (br_if $out (i32.eq (local.get $byte) (i32.const 44)))
                (block $joined {states})
                (br_if $next (i32.ne (local.get $end) (local.tee $at (i32.add (local.get $at) (i32.const 1)))))))
            (local.get $sum) (local.get $state)))"#
    )
}

#[test]
fn states_that_join_before_a_test_have_copies() {
    let text = "a state machine reads a text byte by byte, and ends at a comma";
    let world = World::new();
    let (module, code) = world.module_with_image(&state_machine(text), None);
    let mut store = world.store(());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let mut running = Running { store, instance };
    for end in 1..=text.len() {
        let (mut sum, mut state) = (0_u32, 0);
        for byte in text.bytes().take(end).take_while(|&byte| byte != b',').map(u32::from) {
            (sum, state) = (sum.wrapping_mul(2 * state + 3).wrapping_add(byte), (byte + state) % 10);
        }
        assert_eq!(running.call::<_, (u32, u32)>("run", (16, 16 + end as i32)), (sum, state));
    }
    let table_jumps = table_jumps(&code.jit().examine(0, Entry::Start).unwrap().code);
    assert!(table_jumps >= 10, "one for each state, and the one to begin with: {table_jumps}");
}
