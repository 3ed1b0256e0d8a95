//! Gives valid modules shapes that the generator hardly ever produces. The results are valid modules as well.
//!
//! - *Calls through references*: some direct calls become `ref.func` and `call_ref`, with operators between the two that do not
//!   change the reference. They need no table and no cast, so every engine with typed function references executes them.
//! - *Repetition*: loops run up to four times. Some function bodies become loops, with operands below them that must stay
//!   unchanged. The generator's own loops hardly ever run twice, so on-stack replacement would find no loop to enter.
//! - *Canonical NaNs*: code behind operators on floats replaces their NaNs, for an engine that leaves NaNs as they come.
//! - *Padding*: `nop`s at the start of some functions make their bodies too large to be inlined, or larger than
//!   [`Shaped::max_compiled_size`], so that they stay interpreted. Every mix of tiers occurs, and it depends on the module alone.

use std::collections::HashSet;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, CodeSection, HeapType, Ieee32, Ieee64, Instruction, RawSection, RefType, ValType};
use wasmparser::{CompositeInnerType, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef};
use wasmr_module::operator_class::{Nesting, OperatorClass};

use crate::value::Random;

/// The changes to a module.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Calls through references.
    pub references: bool,
    /// Repetition.
    pub repetition: bool,
    /// Padding.
    pub padding: bool,
    /// Canonical NaNs: code behind each operator whose NaNs the specification leaves open replaces them. Everything else stays the
    /// same.
    pub canonical_nans: bool,
    /// Seed that selects places and kinds of changes.
    pub seed: u64,
}

/// A changed module.
#[derive(Clone, Debug)]
pub struct Shaped {
    /// The module.
    pub wasm: Vec<u8>,
    /// The same program with operators that make NaNs canonical, for an engine that does not.
    pub reference: Option<Vec<u8>>,
    /// Bytes of the largest body that is to be compiled: bodies are either smaller, or padded to more.
    pub max_compiled_size: usize,
}

/// The canonical NaN of each width.
const NAN32: u32 = 0x7fc0_0000;
const NAN64: u64 = 0x7ff8_0000_0000_0000;

/// The kind of a result whose NaNs the specification leaves open.
#[derive(Clone, Copy)]
enum Nan {
    F32,
    F64,
    F32x4,
    F64x2,
}

impl Nan {
    fn ty(self) -> ValType {
        match self {
            Nan::F32 => ValType::F32,
            Nan::F64 => ValType::F64,
            Nan::F32x4 | Nan::F64x2 => ValType::V128,
        }
    }

    /// Returns the kind of the operator's result, if its NaNs are open. Relaxed vectors are left out, as programs that are made
    /// canonical have none.
    fn of(operator: &Operator<'_>) -> Option<Nan> {
        use Operator as O;
        match operator {
            O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest | O::F32Sqrt | O::F32Add | O::F32Sub => {}
            O::F32Mul | O::F32Div | O::F32Min | O::F32Max | O::F32DemoteF64 => {}
            O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest | O::F64Sqrt | O::F64Add => return Some(Nan::F64),
            O::F64Sub | O::F64Mul | O::F64Div | O::F64Min | O::F64Max | O::F64PromoteF32 => return Some(Nan::F64),
            O::F32x4Ceil | O::F32x4Floor | O::F32x4Trunc | O::F32x4Nearest => return Some(Nan::F32x4),
            O::F32x4Sqrt | O::F32x4Add | O::F32x4Sub | O::F32x4Mul | O::F32x4Div => return Some(Nan::F32x4),
            O::F32x4Min | O::F32x4Max | O::F32x4DemoteF64x2Zero => return Some(Nan::F32x4),
            O::F64x2Ceil | O::F64x2Floor | O::F64x2Trunc | O::F64x2Nearest => return Some(Nan::F64x2),
            O::F64x2Sqrt | O::F64x2Add | O::F64x2Sub | O::F64x2Mul | O::F64x2Div => return Some(Nan::F64x2),
            O::F64x2Min | O::F64x2Max | O::F64x2PromoteLowF32x4 => return Some(Nan::F64x2),
            _ => return None,
        }
        Some(Nan::F32)
    }
}

/// Number of `nop`s that makes a body too large for the inlining of small functions.
const TOO_LARGE_TO_INLINE: usize = 130;

/// The facts about a module before its code section.
#[derive(Default)]
struct Declarations {
    /// Parameters and results of each type, if it is a function type.
    types: Vec<Option<(Vec<ValType>, Vec<ValType>)>>,
    /// Type index of each function.
    functions: Vec<u32>,
    imported: u32,
    exported: HashSet<u32>,
}

/// Gives a module its shape. Its functions must be exported to be called through references.
pub fn shape(wasm: &[u8], shape: Shape) -> Shaped {
    const WELL_FORMED: &str = "generated modules are well formed";
    let max_compiled_size = if shape.padding { 4 * largest_body(wasm) + 4 * TOO_LARGE_TO_INLINE } else { usize::MAX };
    let mut out = wasm_encoder::Module::new();
    let mut declared = Declarations::default();
    let mut code = CodeSection::new();
    let mut random = Random::new(shape.seed);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.expect(WELL_FORMED);
        declared.learn(&payload);
        if let Payload::CodeSectionEntry(body) = &payload {
            let ty = declared.functions[(declared.imported + code.len()) as usize];
            let (params, results) = declared.types[ty as usize].as_ref().expect("functions have function types");
            let body = Body::new(&declared, shape, &mut random, params, results, body);
            code.function(&body.reshape(max_compiled_size));
        }
        match payload.as_section() {
            Some((CODE, _)) => {}
            Some((id, range)) => {
                if id > CODE {
                    finish_code(&mut out, &mut code);
                }
                out.section(&RawSection { id, data: &wasm[range.start as usize..range.end as usize] });
            }
            None => {}
        }
    }
    finish_code(&mut out, &mut code);
    Shaped { wasm: out.finish(), reference: None, max_compiled_size }
}

const CODE: u8 = wasm_encoder::SectionId::Code as u8;

fn finish_code(out: &mut wasm_encoder::Module, code: &mut CodeSection) {
    if !code.is_empty() {
        out.section(&std::mem::take(code));
    }
}

fn largest_body(wasm: &[u8]) -> usize {
    let bodies = Parser::new(0).parse_all(wasm).filter_map(|payload| match payload {
        Ok(Payload::CodeSectionEntry(body)) => Some((body.range().end - body.range().start) as usize),
        _ => None,
    });
    bodies.max().unwrap_or(0)
}

impl Declarations {
    fn learn(&mut self, payload: &Payload<'_>) {
        match payload {
            Payload::TypeSection(types) => {
                for ty in types.clone().into_iter().flatten().flat_map(wasmparser::RecGroup::into_types) {
                    let val_types = |types: &[wasmparser::ValType]| -> Vec<ValType> {
                        types.iter().map(|&ty| RoundtripReencoder.val_type(ty).expect(VALID)).collect()
                    };
                    self.types.push(match ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => Some((val_types(ty.params()), val_types(ty.results()))),
                        _ => None,
                    });
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports().flatten() {
                    if let TypeRef::Func(ty) = import.ty {
                        self.functions.push(ty);
                        self.imported += 1;
                    }
                }
            }
            Payload::FunctionSection(types) => self.functions.extend(types.clone().into_iter().flatten()),
            Payload::ExportSection(exports) => {
                let functions =
                    exports.clone().into_iter().flatten().filter(|export| export.kind == ExternalKind::Func);
                self.exported.extend(functions.map(|export| export.index));
            }
            _ => {}
        }
    }
}

const VALID: &str = "generated modules are valid";

/// The state of one function's conversion.
struct Body<'a> {
    declared: &'a Declarations,
    shape: Shape,
    random: &'a mut Random,
    params: &'a [ValType],
    results: &'a [ValType],
    operators: wasmparser::OperatorsReader<'a>,
    locals: Vec<(u32, ValType)>,
    next_local: u32,
    code: Vec<Instruction<'a>>,
}

impl<'a> Body<'a> {
    fn new(
        declared: &'a Declarations,
        shape: Shape,
        random: &'a mut Random,
        params: &'a [ValType],
        results: &'a [ValType],
        body: &FunctionBody<'a>,
    ) -> Body<'a> {
        let mut locals: Vec<(u32, ValType)> = Vec::new();
        for local in body.get_locals_reader().expect(VALID) {
            let (count, ty) = local.expect(VALID);
            locals.push((count, RoundtripReencoder.val_type(ty).expect(VALID)));
        }
        let next_local = params.len() as u32 + locals.iter().map(|&(count, _)| count).sum::<u32>();
        let operators = body.get_operators_reader().expect(VALID);
        Body { declared, shape, random, params, results, operators, locals, next_local, code: Vec::new() }
    }

    fn local(&mut self, ty: ValType) -> u32 {
        self.locals.push((1, ty));
        self.next_local += 1;
        self.next_local - 1
    }

    fn reshape(mut self, max_compiled_size: usize) -> wasm_encoder::Function {
        if self.shape.padding {
            let nops = match self.random.next() % 4 {
                0 => max_compiled_size + 1,
                1 => TOO_LARGE_TO_INLINE,
                _ => 0,
            };
            self.code.extend(std::iter::repeat_n(Instruction::Nop, nops));
        }
        let outer_loop = self.open_loop();
        // For each open block, true if it is a repeated loop.
        let mut open = vec![false];
        for operator in self.operators.clone() {
            let operator = operator.expect(VALID);
            let ends_body = matches!(operator, Operator::End) && open.len() == 1;
            match OperatorClass::of(&operator).nesting() {
                Nesting::Opens => {
                    let goes_round = match operator {
                        Operator::Loop { blockty } => {
                            self.may_go_round(blockty) && self.random.next().is_multiple_of(2)
                        }
                        _ => false,
                    };
                    open.push(goes_round);
                }
                Nesting::Closes if open.pop().expect(VALID) => self.go_round(),
                Nesting::Closes | Nesting::Divides | Nesting::Same => {}
            }
            if !ends_body {
                self.operator(operator);
            }
        }
        if let Some(outer_loop) = outer_loop {
            self.close_loop(outer_loop);
        }
        self.code.push(Instruction::End);
        let mut function = wasm_encoder::Function::new(self.locals);
        for instruction in &self.code {
            function.instruction(instruction);
        }
        function
    }

    /// Returns true if a loop may be repeated. Loops with parameters are not.
    fn may_go_round(&self, ty: wasmparser::BlockType) -> bool {
        let has_params = match ty {
            wasmparser::BlockType::FuncType(ty) => {
                self.declared.types[ty as usize].as_ref().is_none_or(|(params, _)| !params.is_empty())
            }
            wasmparser::BlockType::Empty | wasmparser::BlockType::Type(_) => false,
        };
        self.shape.repetition && !has_params
    }

    fn operator(&mut self, operator: Operator<'a>) {
        let callee = match operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => Some(function_index),
            _ => None,
        };
        let callee = callee.filter(|index| self.shape.references && self.declared.exported.contains(index));
        let way = self.random.next() % 8;
        match (callee, &operator) {
            (Some(index), _) if way < 5 => {
                let ty = self.declared.functions[index as usize];
                self.reference(index, ty, way);
                let tail = matches!(operator, Operator::ReturnCall { .. });
                self.code.push(if tail { Instruction::ReturnCallRef(ty) } else { Instruction::CallRef(ty) });
            }
            (_, Operator::Unreachable) if self.shape.references && way == 0 => {
                self.code.extend([
                    Instruction::RefNull(HeapType::FUNC),
                    Instruction::RefAsNonNull,
                    Instruction::Unreachable,
                ]);
            }
            _ => {
                let nan = if self.shape.canonical_nans { Nan::of(&operator) } else { None };
                self.code.push(RoundtripReencoder.instruction(operator).expect(VALID));
                if let Some(nan) = nan {
                    self.canonical(nan);
                }
            }
        }
    }

    /// Emits code that makes a NaN on the stack canonical.
    fn canonical(&mut self, nan: Nan) {
        let local = self.local(nan.ty());
        let value = Instruction::LocalGet(local);
        let (constant, equal, select) = match nan {
            Nan::F32 => (Instruction::F32Const(Ieee32::new(NAN32)), Instruction::F32Eq, Instruction::Select),
            Nan::F64 => (Instruction::F64Const(Ieee64::new(NAN64)), Instruction::F64Eq, Instruction::Select),
            Nan::F32x4 => {
                let lanes = u128::from(NAN32) * 0x1_0000_0001_0000_0001_0000_0001;
                (Instruction::V128Const(lanes as i128), Instruction::F32x4Eq, Instruction::V128Bitselect)
            }
            Nan::F64x2 => {
                let lanes = u128::from(NAN64) << 64 | u128::from(NAN64);
                (Instruction::V128Const(lanes as i128), Instruction::F64x2Eq, Instruction::V128Bitselect)
            }
        };
        self.code.extend([Instruction::LocalTee(local), constant, value.clone(), value, equal, select]);
    }

    /// Pushes a reference to a function of a type, in one of five ways.
    fn reference(&mut self, index: u32, ty: u32, way: u64) {
        let concrete = |nullable| ValType::Ref(RefType { nullable, heap_type: HeapType::Concrete(ty) });
        match way {
            0 => self.code.push(Instruction::RefFunc(index)),
            1 => self.code.extend([Instruction::RefFunc(index), Instruction::RefAsNonNull]),
            2 => self.code.extend([
                Instruction::Block(BlockType::Result(concrete(false))),
                Instruction::RefFunc(index),
                Instruction::BrOnNonNull(0),
                Instruction::Unreachable,
                Instruction::End,
            ]),
            3 => self.code.extend([
                Instruction::Block(BlockType::Result(concrete(true))),
                Instruction::Block(BlockType::Empty),
                Instruction::RefFunc(index),
                Instruction::BrOnNull(0),
                Instruction::Br(1),
                Instruction::End,
                Instruction::RefNull(HeapType::Concrete(ty)),
                Instruction::End,
            ]),
            _ => {
                let local = self.local(concrete(true));
                self.code.extend([
                    Instruction::RefFunc(index),
                    Instruction::LocalSet(local),
                    Instruction::LocalGet(local),
                ]);
            }
        }
    }

    /// Emits the code before the end of a repeated loop: a branch back to its start unless it has run four times.
    fn go_round(&mut self) {
        let rounds = self.local(ValType::I32);
        self.code.extend([
            Instruction::LocalGet(rounds),
            Instruction::I32Const(1),
            Instruction::I32Add,
            Instruction::LocalTee(rounds),
            Instruction::I32Const(3),
            Instruction::I32And,
            Instruction::BrIf(0),
        ]);
    }

    /// Opens a loop around the bodies of some functions, with operands below the loop. Returns `None` for the other functions.
    fn open_loop(&mut self) -> Option<OuterLoop> {
        let ty = match *self.results {
            [] => BlockType::Empty,
            [result] => BlockType::Result(result),
            _ => return None,
        };
        if !self.shape.repetition || self.random.next().is_multiple_of(2) {
            return None;
        }
        let mut below = Vec::new();
        for (index, &param) in (0..).zip(self.params).take(2) {
            let copy = match param {
                ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128 => self.local(param),
                ValType::Ref(_) => continue,
            };
            self.code.extend([Instruction::LocalGet(index), Instruction::LocalTee(copy)]);
            below.push((copy, param));
        }
        let constant = self.local(ValType::I32);
        self.code.extend([
            Instruction::I32Const(-12_345),
            Instruction::LocalSet(constant),
            Instruction::I32Const(-12_345),
            Instruction::Loop(ty),
            Instruction::Block(ty),
        ]);
        below.push((constant, ValType::I32));
        Some(OuterLoop { below })
    }

    /// Closes the loop. The emitted code traps if an operand below the loop has changed.
    fn close_loop(&mut self, OuterLoop { below }: OuterLoop) {
        self.code.push(Instruction::End);
        self.go_round();
        self.code.push(Instruction::End);
        let result = self.results.first().map(|&result| match result {
            ValType::Ref(ty) => (self.local(ValType::Ref(RefType { nullable: true, ..ty })), !ty.nullable),
            number => (self.local(number), false),
        });
        if let Some((local, _)) = result {
            self.code.push(Instruction::LocalSet(local));
        }
        for &(copy, ty) in below.iter().rev() {
            self.code.push(Instruction::LocalGet(copy));
            match ty {
                ValType::I64 => self.code.push(Instruction::I64Ne),
                ValType::F32 => self.differs(Instruction::I32ReinterpretF32, ValType::I32, Instruction::I32Ne),
                ValType::F64 => self.differs(Instruction::I64ReinterpretF64, ValType::I64, Instruction::I64Ne),
                ValType::V128 => self.code.extend([Instruction::V128Xor, Instruction::V128AnyTrue]),
                _ => self.code.push(Instruction::I32Ne),
            }
            self.code.extend([Instruction::If(BlockType::Empty), Instruction::Unreachable, Instruction::End]);
        }
        if let Some((local, is_not_null)) = result {
            self.code.push(Instruction::LocalGet(local));
            if is_not_null {
                self.code.push(Instruction::RefAsNonNull);
            }
        }
    }

    /// Emits a comparison of the bits of two floats.
    fn differs(&mut self, bits: Instruction<'a>, ty: ValType, not_equal: Instruction<'a>) {
        let right = self.local(ty);
        self.code.extend([bits.clone(), Instruction::LocalSet(right), bits, Instruction::LocalGet(right), not_equal]);
    }
}

/// A loop around a body.
struct OuterLoop {
    /// The operands below the loop: for each a local with the same value, and its type.
    below: Vec<(u32, ValType)>,
}
