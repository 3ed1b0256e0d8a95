//! The emitter of each instruction: the machine instruction of its operator, and the places of operands and result.
//!
//! Places come from the text of the instruction's row in [`instr`](crate::instr). So an operator has one line here, whatever the
//! places are. [`Rows::of`] gives the row of a handler; [`Row::emitter`] is `None` for an instruction that is left to its
//! handler. `left_to_handlers.txt` lists those, and a test keeps it true.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use wasmr_core::op::{Access, Op, Shape};
use wasmr_core::types::ValType;

use super::access::{Address, Loaded};
use super::assemble::{Alu, Opcode, Shift, condition};
use super::heap_rows::{self, Heap};
use super::vector_rows::{self, Vector};
use crate::instr::field::{Field, Kind};
use crate::instr::locations::{Dst, In, Locations};
use crate::instr::{
    BranchCompare, CountAndBranch, Family, Instr, Length, LoadChecked, Part, Row as Name, StoreChecked, parts,
    with_handler,
};
use crate::machine_code::address_hasher::AddressHasher;

/// Place of an operand or a result in an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A slot that a field names.
    Slot(Field),
    /// The integer accumulator.
    Acc,
    /// The float accumulator.
    FloatAcc,
    /// A constant in a field.
    Constant(Field),
}

/// Number of places that a row can have, the result's included.
pub(crate) const PLACES: usize = 5;

/// The instructions of one handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Length of the instructions; `None` if no instruction of the instruction set has the handler.
    pub(crate) length: Option<Length>,
    pub(crate) emitter: Option<Emitter>,
    /// Result first, if there is one, then the operands.
    places: [Option<Place>; PLACES],
    /// True if the first place is the result.
    has_result: bool,
    /// True if an instruction has a branch distance in field `to`.
    pub(crate) branches: bool,
    /// True if an instruction has a table of branch distances.
    pub(crate) has_table: bool,
}

/// The code of an instruction, without places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emitter {
    Binary(Binary),
    Unary(Unary),
    Compare(Compare),
    /// The flag is the outcome with which the branch is taken.
    BranchCompare(Compare, bool),
    CountAndBranch(Compare, bool),
    Load(Loaded, Address),
    /// True for 64-bit addresses.
    LoadChecked(Loaded, bool),
    /// Bytes in memory.
    Store(u8),
    StoreChecked(u8, bool),
    Enter,
    ReturnPlain,
    Return {
        is_float: bool,
    },
    ReturnConstant {
        wide: bool,
    },
    Br,
    BrIf {
        wide: bool,
        wanted: bool,
    },
    BrIfAnd {
        wanted: bool,
    },
    BrTable,
    Call,
    CallIndirect,
    Copy {
        /// True if both slots are read before the first is written.
        is_pair: bool,
    },
    Constant,
    GlobalGet {
        is_float: bool,
        is_imported: bool,
    },
    GlobalSet {
        is_float: bool,
        is_imported: bool,
    },
    Select {
        is_float: bool,
    },
    AddScaled,
    BitField,
    GlobalPlus,
    SetGlobalPlus,
    Charge,
    MemorySize {
        /// Logarithm of the bytes of a page.
        log2: u8,
    },
    Vector(Vector),
    Heap(Heap),
}

/// A machine instruction of an operator of two scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Alu {
        alu: Alu,
        wide: bool,
    },
    Multiply {
        wide: bool,
    },
    Shift {
        shift: Shift,
        wide: bool,
    },
    Divide {
        signed: bool,
        wide: bool,
        remainder: bool,
    },
    Float {
        opcode: Opcode,
        is_64: bool,
    },
    /// The magnitude of the first float with the sign of the second one.
    CopySign {
        is_64: bool,
    },
    /// `opcode` for different numbers, `equal` for equal ones, which may differ in sign.
    Extreme {
        opcode: Opcode,
        equal: Opcode,
        is_64: bool,
    },
}

/// A machine instruction of an operator of one scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    /// A test for zero.
    Zero {
        wide: bool,
    },
    /// An instruction whose operand may be in memory. `narrow` operands have 8 bits.
    General {
        opcode: Opcode,
        wide: bool,
        narrow: bool,
    },
    /// The low half of an operand that has 64 bits, if it is `wide`.
    Low {
        wide: bool,
    },
    Float {
        opcode: Opcode,
        is_64: bool,
    },
    Round {
        mode: u8,
        is_64: bool,
    },
    /// `xor` or `and` with the sign bit or its complement.
    Sign {
        opcode: Opcode,
        mask: u64,
        is_64: bool,
    },
    /// A conversion to `opcode`'s float from an integer, all of whose `wide` register counts.
    Convert {
        opcode: Opcode,
        wide: bool,
        unsigned: bool,
    },
    /// A conversion to an integer, in `wide` registers. Unusual values are left to the handler.
    Truncate {
        opcode: Opcode,
        wide: bool,
        unsigned: bool,
        is_64: bool,
    },
    /// A conversion to `opcode`'s float from an unsigned integer of 64 bits. `add` is its sum.
    ConvertLong {
        opcode: Opcode,
        add: Opcode,
    },
    /// A conversion to an unsigned integer of 64 bits. `subtract` is the difference of the float. Unusual values are left to the
    /// handler.
    TruncateLong {
        opcode: Opcode,
        subtract: Opcode,
        is_64: bool,
    },
    /// The bits of a float.
    Bits {
        is_64: bool,
    },
    /// The float of some bits.
    OfBits {
        is_64: bool,
    },
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Integer {
        condition: u8,
        wide: bool,
    },
    /// `ucomis` with exchanged operands, if they are, then a condition that is false for unordered operands.
    Float {
        condition: u8,
        exchanged: bool,
        is_64: bool,
    },
    /// Equality of floats, or its opposite.
    FloatEqual {
        negated: bool,
        is_64: bool,
    },
}

/// The rows that were needed so far, by handler word.
type ByHandler = HashMap<u64, &'static Row, BuildHasherDefault<AddressHasher>>;

/// Access to the rows, for one function.
pub(crate) struct Rows(MutexGuard<'static, ByHandler>);

impl Rows {
    /// Waits until no other thread has the rows.
    pub(crate) fn lock() -> Rows {
        static ROWS: OnceLock<Mutex<ByHandler>> = OnceLock::new();
        Rows(ROWS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the row of a handler word.
    pub(crate) fn of(&mut self, handler: u64) -> &'static Row {
        // There are as many rows as handlers, and they are used until the process ends.
        self.0.entry(handler).or_insert_with(|| Box::leak(Box::new(Row::new(handler))))
    }
}

impl Row {
    fn new(handler: u64) -> Row {
        let instructions = || with_handler(handler);
        let emitter = |instr| emitter(instr).filter(|_| is_supported(instr));
        let emitted = instructions().find(|&instr| emitter(instr).is_some());
        let Some(instr) = emitted.or_else(|| instructions().next()) else {
            return Row {
                length: None,
                emitter: None,
                places: [None; PLACES],
                has_result: false,
                branches: false,
                has_table: false,
            };
        };
        let text = instr.text();
        let parts: Vec<Part<'_>> = parts(&text).collect();
        let (places, has_result) = places(&text, &parts);
        let fields = || parts.iter().filter_map(|part| part.field());
        let has = |kind| fields().any(|field| field.kind == kind);
        Row {
            length: Some(Length::with_fields(fields())),
            emitter: emitter(instr).filter(|_| places.is_some()),
            places: places.unwrap_or_default(),
            has_result,
            branches: has(Kind::Target),
            has_table: has(Kind::Table),
        }
    }

    /// Returns the place of the result.
    pub(crate) fn result(&self) -> Option<Place> {
        self.places[0].filter(|_| self.has_result)
    }

    /// Returns the places of the operands.
    pub(crate) fn operands(&self) -> impl Iterator<Item = Place> + use<'_> {
        self.places.iter().skip(usize::from(self.has_result)).map_while(|place| *place)
    }

    /// Returns the slots that the instruction's fields name.
    pub(crate) fn slots<'a>(&'a self, words: &'a [u64]) -> impl Iterator<Item = i32> + use<'a> {
        self.places.iter().flatten().filter_map(|place| match place {
            Place::Slot(field) => Some(field.value(words) as i32),
            _ => None,
        })
    }
}

/// Returns the places that a text with these parts names, and true if the first one is a result. `None` if there are too many.
fn places(text: &str, parts: &[Part<'_>]) -> (Option<[Option<Place>; PLACES]>, bool) {
    let mut places = [None; PLACES];
    let mut count = 0;
    let left = text.split_once(" = ").map(|(left, _)| left);
    let has_result = left.is_some_and(|left| ["acc", "facc", "{d}"].contains(&left));
    for &part in parts {
        let mut add = |place| {
            let Some(free) = places.get_mut(count) else { return false };
            *free = Some(place);
            count += 1;
            true
        };
        let fits = match part {
            Part::Field(Field { kind: Kind::Target | Kind::Table | Kind::Hidden, .. }) => true,
            Part::Field(field) if field.kind == Kind::Slot => add(Place::Slot(field)),
            Part::Field(field) => add(Place::Constant(field)),
            Part::Words(words) => words.split(|c: char| !c.is_ascii_alphanumeric()).all(|word| match word {
                "acc" => add(Place::Acc),
                "facc" => add(Place::FloatAcc),
                _ => true,
            }),
        };
        if !fits {
            return (None, has_result);
        }
    }
    (Some(places), has_result)
}

/// Returns the emitter of an instruction; `None` if the instruction is left to its handler.
pub(crate) fn emitter(instr: Instr) -> Option<Emitter> {
    let wanted = !instr.template().contains(" unless ");
    match instr.row() {
        (Name::Operator(op), index) => operator(op, index, wanted),
        (Name::Own(family), index) => own(family, index, wanted),
    }
}

/// Returns true if the processor has the machine instruction of an emitter.
fn is_supported(instr: Instr) -> bool {
    use Op::*;
    let has = super::features::features();
    match instr.row() {
        (Name::Operator(I32Clz | I64Clz), _) => has.lzcnt,
        (Name::Operator(I32Ctz | I64Ctz), _) => has.bmi,
        (Name::Operator(I32Popcnt | I64Popcnt), _) => has.popcnt,
        (
            Name::Operator(F32Nearest | F64Nearest | F32Floor | F64Floor | F32Ceil | F64Ceil | F32Trunc | F64Trunc),
            _,
        ) => has.sse41,
        _ => has.sse42 || !matches!(emitter(instr), Some(Emitter::Vector(_))),
    }
}

fn operator(op: Op, index: usize, wanted: bool) -> Option<Emitter> {
    let is_64_bit_address = |base: usize| index == base + 1;
    match op.shape() {
        Shape::Binary => binary(op).map(Emitter::Binary),
        Shape::Unary => unary(op).map(Emitter::Unary),
        Shape::Compare if index >= CountAndBranch::BASE => Some(Emitter::CountAndBranch(compare(op)?, wanted)),
        Shape::Compare if index >= BranchCompare::BASE => Some(Emitter::BranchCompare(compare(op)?, wanted)),
        Shape::Compare => compare(op).map(Emitter::Compare),
        Shape::Load if index >= LoadChecked::BASE => {
            Some(Emitter::LoadChecked(loaded(op)?, is_64_bit_address(LoadChecked::BASE)))
        }
        Shape::Load => Some(Emitter::Load(loaded(op)?, Address::of(index))),
        Shape::Store => {
            let bytes = op.info().access?.bytes;
            Some(if index >= StoreChecked::BASE {
                Emitter::StoreChecked(bytes, is_64_bit_address(StoreChecked::BASE))
            } else {
                Emitter::Store(bytes)
            })
        }
        _ => vector_rows::operator(op, index).map(Emitter::Vector),
    }
}

fn own(family: &str, index: usize, wanted: bool) -> Option<Emitter> {
    // The choices of a family with three flags.
    let flags = || {
        let all = [false, true].into_iter().flat_map(|first| [false, true].map(|second| (first, second)));
        let mut all = all.flat_map(|(first, second)| Dst::BOTH.map(|dst| (first, second, dst)));
        all.find(|flags| flags.index() == index).map(|(first, second, _)| (first, second))
    };
    Some(match family {
        "Enter" => Emitter::Enter,
        "ReturnPlain" => Emitter::ReturnPlain,
        "Return" => {
            let is_float = |is_float| [In::Slot, In::Acc].into_iter().any(|at| (is_float, at).index() == index);
            Emitter::Return { is_float: is_float(true) }
        }
        "ReturnConstant" => Emitter::ReturnConstant { wide: index == true.index() },
        "Br" => Emitter::Br,
        "BrIf" => Emitter::BrIf { wide: false, wanted },
        "BrIf64" => Emitter::BrIf { wide: true, wanted },
        "BrIfAnd" => Emitter::BrIfAnd { wanted },
        "BrTable" => Emitter::BrTable,
        "Call" if index == false.index() => Emitter::Call,
        "CallIndirect" => Emitter::CallIndirect,
        "CopySlot" | "CopyTwo" => Emitter::Copy { is_pair: false },
        "CopyPair" => Emitter::Copy { is_pair: true },
        "Constant" | "ConstantWide" => Emitter::Constant,
        "GlobalGet" => flags().map(|(is_float, is_imported)| Emitter::GlobalGet { is_float, is_imported })?,
        "GlobalSet" => flags().map(|(is_float, is_imported)| Emitter::GlobalSet { is_float, is_imported })?,
        "Select" => flags().map(|(is_float, _)| Emitter::Select { is_float })?,
        "AddScaled" => Emitter::AddScaled,
        "BitField" => Emitter::BitField,
        "GlobalPlus" => Emitter::GlobalPlus,
        "SetGlobalPlus" => Emitter::SetGlobalPlus,
        "Charge" => Emitter::Charge,
        "MemorySize" => Emitter::MemorySize { log2: if index == true.index() { 0 } else { 16 } },
        _ => {
            let vector = vector_rows::own(family, index).map(Emitter::Vector);
            vector.or_else(|| heap_rows::own(family, index).map(Emitter::Heap))?
        }
    })
}

fn is_64(op: Op) -> bool {
    matches!(op.info().operands.first(), Some(ValType::I64 | ValType::F64))
}

fn binary(op: Op) -> Option<Binary> {
    use Op::*;
    let (wide, is_64) = (is_64(op), is_64(op));
    let alu = |alu| Binary::Alu { alu, wide };
    let shift = |shift| Binary::Shift { shift, wide };
    let divide = |signed, remainder| Binary::Divide { signed, wide, remainder };
    let scalar = |byte: Opcode| if is_64 { 0xf200_0f00 | byte } else { 0xf300_0f00 | byte };
    let float = |byte| Binary::Float { opcode: scalar(byte), is_64 };
    let extreme = |byte, equal| Binary::Extreme { opcode: scalar(byte), equal, is_64 };
    Some(match op {
        I32Add | I64Add => alu(Alu::Add),
        I32Sub | I64Sub => alu(Alu::Sub),
        I32And | I64And => alu(Alu::And),
        I32Or | I64Or => alu(Alu::Or),
        I32Xor | I64Xor => alu(Alu::Xor),
        I32Mul | I64Mul => Binary::Multiply { wide },
        I32Shl | I64Shl => shift(Shift::Left),
        I32ShrS | I64ShrS => shift(Shift::RightSigned),
        I32ShrU | I64ShrU => shift(Shift::RightUnsigned),
        I32Rotl | I64Rotl => shift(Shift::RotateLeft),
        I32Rotr | I64Rotr => shift(Shift::RotateRight),
        I32DivS | I64DivS => divide(true, false),
        I32DivU | I64DivU => divide(false, false),
        I32RemS | I64RemS => divide(true, true),
        I32RemU | I64RemU => divide(false, true),
        F32Add | F64Add => float(0x58),
        F32Sub | F64Sub => float(0x5c),
        F32Mul | F64Mul => float(0x59),
        F32Div | F64Div => float(0x5e),
        F32Min | F64Min => extreme(0x5d, 0x0f56),
        F32Max | F64Max => extreme(0x5f, 0x0f54),
        F32Copysign | F64Copysign => Binary::CopySign { is_64 },
        _ => return None,
    })
}

fn unary(op: Op) -> Option<Unary> {
    use Op::*;
    let is_64 = is_64(op);
    let wide = matches!(op.info().result, Some(ValType::I64 | ValType::F64));
    let general = |opcode, narrow| Unary::General { opcode, wide, narrow };
    let float = |opcode| Unary::Float { opcode, is_64 };
    let scalar = |byte: Opcode| if is_64 { 0xf200_0f00 | byte } else { 0xf300_0f00 | byte };
    let to_float = |byte: Opcode| if wide { 0xf200_0f00 | byte } else { 0xf300_0f00 | byte };
    let round = |mode| Unary::Round { mode, is_64 };
    let sign = if is_64 { 1 << 63 } else { 1 << 31 };
    let convert = |unsigned| Unary::Convert { opcode: to_float(0x2a), wide: is_64 || unsigned, unsigned };
    let truncate = |unsigned| Unary::Truncate { opcode: scalar(0x2c), wide, unsigned, is_64 };
    Some(match op {
        I32Eqz | I64Eqz => Unary::Zero { wide: is_64 },
        I32Clz | I64Clz => general(0xf300_0fbd, false),
        I32Ctz | I64Ctz => general(0xf300_0fbc, false),
        I32Popcnt | I64Popcnt => general(0xf300_0fb8, false),
        I32Extend8S | I64Extend8S => general(0x0fbe, true),
        I32Extend16S | I64Extend16S => general(0x0fbf, false),
        I64Extend32S | I64ExtendI32S => general(0x63, false),
        I32WrapI64 | I64ExtendI32U => Unary::Low { wide: is_64 },
        F32Sqrt | F64Sqrt => float(scalar(0x51)),
        F32DemoteF64 | F64PromoteF32 => float(scalar(0x5a)),
        F32Nearest | F64Nearest => round(0),
        F32Floor | F64Floor => round(1),
        F32Ceil | F64Ceil => round(2),
        F32Trunc | F64Trunc => round(3),
        F32Neg | F64Neg => Unary::Sign { opcode: 0x0f57, mask: sign, is_64 },
        F32Abs | F64Abs => Unary::Sign { opcode: 0x0f54, mask: sign - 1, is_64 },
        F32ConvertI32S | F64ConvertI32S | F32ConvertI64S | F64ConvertI64S => convert(false),
        F32ConvertI32U | F64ConvertI32U => convert(true),
        F32ConvertI64U | F64ConvertI64U => Unary::ConvertLong { opcode: to_float(0x2a), add: to_float(0x58) },
        I64TruncF32U | I64TruncF64U | I64TruncSatF32U | I64TruncSatF64U => {
            Unary::TruncateLong { opcode: scalar(0x2c), subtract: scalar(0x5c), is_64 }
        }
        I32TruncF32S | I32TruncF64S | I64TruncF32S | I64TruncF64S => truncate(false),
        I32TruncSatF32S | I32TruncSatF64S | I64TruncSatF32S | I64TruncSatF64S => truncate(false),
        I32TruncF32U | I32TruncF64U | I32TruncSatF32U | I32TruncSatF64U => truncate(true),
        I32ReinterpretF32 | I64ReinterpretF64 => Unary::Bits { is_64 },
        F32ReinterpretI32 | F64ReinterpretI64 => Unary::OfBits { is_64 },
        _ => return None,
    })
}

fn compare(op: Op) -> Option<Compare> {
    use Op::*;
    let (wide, is_64) = (is_64(op), is_64(op));
    let integer = |condition| Compare::Integer { condition, wide };
    let float = |condition, exchanged| Compare::Float { condition, exchanged, is_64 };
    Some(match op {
        I32Eq | I64Eq => integer(condition::EQUAL),
        I32Ne | I64Ne => integer(condition::NOT_EQUAL),
        I32LtS | I64LtS => integer(condition::LESS),
        I32LtU | I64LtU => integer(condition::BELOW),
        I32GtS | I64GtS => integer(condition::GREATER),
        I32GtU | I64GtU => integer(condition::ABOVE),
        I32LeS | I64LeS => integer(condition::LESS_EQUAL),
        I32LeU | I64LeU => integer(condition::BELOW_EQUAL),
        I32GeS | I64GeS => integer(condition::GREATER_EQUAL),
        I32GeU | I64GeU => integer(condition::ABOVE_EQUAL),
        F32Lt | F64Lt => float(condition::ABOVE, true),
        F32Le | F64Le => float(condition::ABOVE_EQUAL, true),
        F32Gt | F64Gt => float(condition::ABOVE, false),
        F32Ge | F64Ge => float(condition::ABOVE_EQUAL, false),
        F32Eq | F64Eq => Compare::FloatEqual { negated: false, is_64 },
        F32Ne | F64Ne => Compare::FloatEqual { negated: true, is_64 },
        _ => return None,
    })
}

fn loaded(op: Op) -> Option<Loaded> {
    let info = op.info();
    let Access { bytes, signed } = info.access?;
    let result = info.result?;
    let is_float = matches!(result, ValType::F32 | ValType::F64);
    let wide = result == ValType::I64 && (signed || bytes == 8);
    let opcode = match (is_float, bytes, signed) {
        (true, 4, _) => 0xf300_0f10,
        (true, ..) => 0xf200_0f10,
        (false, 1, false) => 0x0fb6,
        (false, 1, true) => 0x0fbe,
        (false, 2, false) => 0x0fb7,
        (false, 2, true) => 0x0fbf,
        (false, 4, true) => 0x63,
        (false, ..) => 0x8b,
    };
    Some(Loaded { opcode, wide, is_float, bytes })
}
