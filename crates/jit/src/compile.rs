//! One function from wasm to machine code that is not linked yet: translation, then Cranelift.

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{ExceptionContextLoc, FinalizedMachCallSite, FinalizedMachExceptionHandler};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_module::{FuncId, ModuleReloc};

use crate::budget::{Optimised, Turn};
use crate::compiled::{CallSite, CompiledCode, Handler};
use crate::error::CompileError;
use crate::positions::{Place, Positions};
use crate::translate::{Request, Translated, translate};
use crate::trap_code::meaning;
use crate::{liveness, operand_order};

/// What one thread needs to compile, kept from one function to the next.
pub struct CompilerContext {
    context: Context,
    builder: FunctionBuilderContext,
    registers: regalloc2::Ctx,
}

impl Default for CompilerContext {
    fn default() -> CompilerContext {
        CompilerContext {
            context: Context::new(),
            builder: FunctionBuilderContext::new(),
            registers: regalloc2::Ctx::default(),
        }
    }
}

impl std::fmt::Debug for CompilerContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompilerContext").finish_non_exhaustive()
    }
}

/// Compiles a function of a module, to be linked as `id`.
///
/// # Errors
/// If it is not compiled.
pub(crate) fn compile(
    request: &Request<'_>,
    isa: &dyn TargetIsa,
    id: FuncId,
    scratch: &mut CompilerContext,
) -> Result<CompiledCode, CompileError> {
    scratch.context.clear();
    let mut turn = Turn::default();
    let compiled = compile_in_turn(request, isa, id, scratch, &mut turn);
    if compiled.is_err() || turn.is_taken() {
        // What is left of it in there must not meet the next function, nor stay for good if it is much.
        *scratch = CompilerContext::default();
    }
    compiled
}

fn compile_in_turn(
    request: &Request<'_>,
    isa: &dyn TargetIsa,
    id: FuncId,
    scratch: &mut CompilerContext,
    turn: &mut Turn,
) -> Result<CompiledCode, CompileError> {
    let Translated { positions, exits, variables } =
        translate(request, isa, &mut scratch.context.func, &mut scratch.builder, turn)?;
    let mut compiled = finish(isa, id, scratch, variables, turn)?;
    compiled.table = Some(positions);
    compiled.exits = exits;
    Ok(compiled)
}

/// A function on its way to machine code, for people to look at.
#[derive(Debug)]
pub struct Disassembly {
    /// As it was translated, in Cranelift's text format.
    pub clif: String,
    /// The same when Cranelift had optimised it.
    pub optimized: String,
    /// Its machine code; calls of other functions are not filled in.
    pub code: Vec<u8>,
    /// From where on the code is of which operators: the one, and the calls around it if it was inlined.
    pub places: Vec<(u32, Vec<Place>)>,
    /// What the source locations in the text are of.
    pub positions: Positions,
}

/// Compiles a function of a module to be looked at.
///
/// # Errors
/// If it is not compiled.
pub(crate) fn examine(
    request: &Request<'_>,
    isa: &dyn TargetIsa,
    scratch: &mut CompilerContext,
) -> Result<Disassembly, CompileError> {
    scratch.context.clear();
    let mut turn = Turn::default();
    let Translated { positions, variables, .. } =
        translate(request, isa, &mut scratch.context.func, &mut scratch.builder, &mut turn)?;
    let clif = scratch.context.func.display().to_string();
    let code = finish(isa, FuncId::from_u32(0), scratch, variables, &mut turn)?;
    let optimized = scratch.context.func.display().to_string();
    let places = code.positions.iter().map(|&(at, position)| (at, positions.places(position))).collect();
    Ok(Disassembly { clif, optimized, code: code.code, places, positions })
}

/// Compiles what `build` makes.
///
/// # Errors
/// If Cranelift refuses.
pub(crate) fn compile_with(
    isa: &dyn TargetIsa,
    id: FuncId,
    scratch: &mut CompilerContext,
    build: impl FnOnce(&mut ir::Function, &mut FunctionBuilderContext),
) -> Result<CompiledCode, CompileError> {
    scratch.context.clear();
    build(&mut scratch.context.func, &mut scratch.builder);
    finish(isa, id, scratch, 0, &mut Turn::default())
}

/// Optimises the function, which came of so many variables, and makes its machine code.
fn finish(
    isa: &dyn TargetIsa,
    id: FuncId,
    scratch: &mut CompilerContext,
    variables: usize,
    turn: &mut Turn,
) -> Result<CompiledCode, CompileError> {
    let CompilerContext { context, registers, .. } = scratch;
    let refused = |error| CompileError::Codegen(format!("{error:?}"));
    // What `Context::compile` does, and a few things in between.
    let mut control = ControlPlane::default();
    context.optimize(isa, &mut control).map_err(refused)?;
    operand_order::keep(&mut context.func);
    let func = &context.func;
    let optimised = Optimised {
        instructions: func.layout.blocks().map(|block| func.layout.block_insts(block).count()).sum(),
        params: func.layout.blocks().map(|block| func.dfg.block_params(block).len()).sum(),
        variables,
    };
    let live = liveness::count(func, &context.domtree, |live| optimised.bytes(live).is_none());
    let bytes = live.and_then(|live| optimised.bytes(&live)).ok_or(CompileError::TooMuch)?;
    turn.take_for(bytes);
    let compiled =
        isa.compile_function(&context.func, &context.domtree, registers, false, &mut control).map_err(refused)?;
    let compiled = compiled.apply_params(&context.func.params);
    let buffer = &compiled.buffer;
    let relocs = buffer.relocs().iter().map(|reloc| ModuleReloc::from_mach_reloc(reloc, &context.func, id)).collect();
    let call_sites =
        buffer.call_sites().filter(|site| !site.exception_handlers.is_empty()).map(|site| call_site(&site));
    Ok(CompiledCode {
        code: buffer.data().to_vec(),
        relocs,
        traps: buffer.traps().iter().map(|trap| (trap.offset, meaning(trap))).collect(),
        call_sites: call_sites.collect::<Result<_, CompileError>>()?,
        positions: buffer.get_srclocs_sorted().iter().map(|place| (place.start, place.loc.bits())).collect(),
        table: None,
        exits: Vec::new(),
    })
}

fn call_site(site: &FinalizedMachCallSite<'_>) -> Result<CallSite, CompileError> {
    let unknown = || CompileError::Codegen("what a call with handlers leaves where is not told".to_owned());
    let frame_offset = site.frame_offset.ok_or_else(unknown)?;
    let (mut instance_offset, mut handlers) = (None, Vec::new());
    for handler in site.exception_handlers {
        match *handler {
            FinalizedMachExceptionHandler::Tag(tag, code) => {
                handlers.push(Handler { tag: Some(tag.as_u32()), code });
            }
            FinalizedMachExceptionHandler::Default(code) => handlers.push(Handler { tag: None, code }),
            FinalizedMachExceptionHandler::Context(ExceptionContextLoc::SPOffset(offset)) => {
                instance_offset = Some(offset);
            }
            // No register outlives such a call.
            FinalizedMachExceptionHandler::Context(ExceptionContextLoc::GPR(_)) => return Err(unknown()),
        }
    }
    Ok(CallSite { return_offset: site.ret_addr, frame_offset, instance_offset, handlers })
}
