//! Shapes that generated modules do not have by themselves: a valid module in, a valid module out that does the same.
//!
//! - *Calls through references*: some direct calls become `ref.func` and `call_ref`, with the operators on references between
//!   them that change nothing. They need no table and no cast, so every engine with typed function references runs them.
//! - *Padding*: `nop`s at the start of some functions make their bodies too large to be inlined, or so large that functions
//!   of [`Shaped::max_compiled_size`] are compiled and they are not. So every mix of tiers comes up, and the module says which.

use std::collections::HashSet;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, CodeSection, HeapType, Instruction, RawSection, RefType, ValType};
use wasmparser::{CompositeInnerType, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef};

use crate::value::Random;

/// What a module gets.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Calls through references.
    pub references: bool,
    /// Padding.
    pub padding: bool,
    /// Where and which.
    pub seed: u64,
}

/// A module in its shape.
#[derive(Clone, Debug)]
pub struct Shaped {
    /// The module.
    pub wasm: Vec<u8>,
    /// Bytes of the largest body that is to be compiled: bodies are either smaller, or padded to more.
    pub max_compiled_size: usize,
}

/// More than any body that is inlined for being small.
const TOO_LARGE_TO_INLINE: usize = 130;

/// What is known of a module before its code section.
#[derive(Default)]
struct Declarations {
    /// For each type its number of parameters, if it is a function's.
    params: Vec<Option<u32>>,
    /// For each function its type.
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
            let params = declared.params[ty as usize].expect("functions have function types");
            let function =
                Body { declared: &declared, shape, random: &mut random, params }.reshape(body, max_compiled_size);
            code.function(&function);
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
    Shaped { wasm: out.finish(), max_compiled_size }
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
                    self.params.push(match ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => Some(ty.params().len() as u32),
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

/// One function on its way.
struct Body<'a> {
    declared: &'a Declarations,
    shape: Shape,
    random: &'a mut Random,
    params: u32,
}

impl Body<'_> {
    fn reshape(self, body: &FunctionBody<'_>, max_compiled_size: usize) -> wasm_encoder::Function {
        const VALID: &str = "generated modules are valid";
        let Body { declared, shape, random, params } = self;
        let mut reencoder = RoundtripReencoder;
        let mut locals: Vec<(u32, ValType)> = Vec::new();
        for local in body.get_locals_reader().expect(VALID) {
            let (count, ty) = local.expect(VALID);
            locals.push((count, reencoder.val_type(ty).expect(VALID)));
        }
        let mut next_local = params + locals.iter().map(|&(count, _)| count).sum::<u32>();

        let mut code: Vec<Instruction<'_>> = Vec::new();
        if shape.padding {
            let nops = match random.next() % 4 {
                0 => max_compiled_size + 1,
                1 => TOO_LARGE_TO_INLINE,
                _ => 0,
            };
            code.extend(std::iter::repeat_n(Instruction::Nop, nops));
        }
        for operator in body.get_operators_reader().expect(VALID) {
            let operator = operator.expect(VALID);
            let callee = match operator {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => Some(function_index),
                _ => None,
            };
            let callee = callee.filter(|index| shape.references && declared.exported.contains(index));
            let way = random.next() % 8;
            match (callee, &operator) {
                (Some(index), _) if way < 5 => {
                    let ty = declared.functions[index as usize];
                    reference(index, ty, way, &mut code, &mut locals, &mut next_local);
                    let tail = matches!(operator, Operator::ReturnCall { .. });
                    code.push(if tail { Instruction::ReturnCallRef(ty) } else { Instruction::CallRef(ty) });
                }
                (_, Operator::Unreachable) if shape.references && way == 0 => {
                    code.push(Instruction::RefNull(HeapType::FUNC));
                    code.push(Instruction::RefAsNonNull);
                    code.push(Instruction::Unreachable);
                }
                _ => code.push(reencoder.instruction(operator).expect(VALID)),
            }
        }
        let mut function = wasm_encoder::Function::new(locals);
        for instruction in &code {
            function.instruction(instruction);
        }
        function
    }
}

/// Pushes a reference to a function of a type, in one of five ways.
fn reference(
    index: u32,
    ty: u32,
    way: u64,
    code: &mut Vec<Instruction<'_>>,
    locals: &mut Vec<(u32, ValType)>,
    next_local: &mut u32,
) {
    let concrete = |nullable| ValType::Ref(RefType { nullable, heap_type: HeapType::Concrete(ty) });
    match way {
        0 => code.push(Instruction::RefFunc(index)),
        1 => code.extend([Instruction::RefFunc(index), Instruction::RefAsNonNull]),
        2 => code.extend([
            Instruction::Block(BlockType::Result(concrete(false))),
            Instruction::RefFunc(index),
            Instruction::BrOnNonNull(0),
            Instruction::Unreachable,
            Instruction::End,
        ]),
        3 => code.extend([
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
            locals.push((1, concrete(true)));
            code.extend([
                Instruction::RefFunc(index),
                Instruction::LocalSet(*next_local),
                Instruction::LocalGet(*next_local),
            ]);
            *next_local += 1;
        }
    }
}
