//! Compiles one function from WebAssembly to machine code that is not linked yet: translation, then Cranelift.

use cranelift_codegen::Context;
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{
    ExceptionContextLoc, FinalizedMachCallSite, FinalizedMachExceptionHandler, FinalizedMachReloc, FinalizedRelocTarget,
};
use cranelift_frontend::FunctionBuilderContext;

use crate::budget::{Optimised, Turn};
use crate::compiled::{CallReloc, CompiledCode};
use crate::error::CompileError;
use crate::source_map::{SourceMap, WasmPc};
use crate::tables::{CallSite, CodeTables, LandingPad, LandingTag};
use crate::translate::{Request, Translated, translate};
use crate::trap_code::meaning;
use crate::{dispatch, liveness, operand_order};

/// Buffers that a compiler thread keeps from one function to the next.
pub struct CompilerContext {
    cranelift: Context,
    function_builder: FunctionBuilderContext,
    register_allocator: regalloc2::Ctx,
}

impl Default for CompilerContext {
    fn default() -> CompilerContext {
        CompilerContext {
            cranelift: Context::new(),
            function_builder: FunctionBuilderContext::new(),
            register_allocator: regalloc2::Ctx::default(),
        }
    }
}

impl std::fmt::Debug for CompilerContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompilerContext").finish_non_exhaustive()
    }
}

/// Compiles a function of a module.
///
/// # Errors
/// Returns the reason why the function stays interpreted.
pub(crate) fn compile(
    request: &Request<'_>,
    isa: &dyn TargetIsa,
    context: &mut CompilerContext,
) -> Result<CompiledCode, CompileError> {
    context.cranelift.clear();
    let mut turn = Turn::default();
    let compiled = compile_in_turn(request, isa, context, &mut turn);
    if compiled.is_err() || turn.is_taken() {
        // A failure leaves a half-made function in the buffers, and those of a heavy function are too large to keep.
        *context = CompilerContext::default();
    }
    compiled
}

fn compile_in_turn(
    request: &Request<'_>,
    isa: &dyn TargetIsa,
    context: &mut CompilerContext,
    turn: &mut Turn,
) -> Result<CompiledCode, CompileError> {
    let Translated { source_map, exits, variables } =
        translate(request, isa, &mut context.cranelift.func, &mut context.function_builder, turn)?;
    let mut compiled = finish(isa, context, variables, turn)?;
    compiled.tables.source_map = Some(source_map);
    compiled.exits = exits;
    Ok(compiled)
}

/// A function at each stage of its compilation, for people to look at.
#[derive(Debug)]
pub struct Disassembly {
    /// CLIF as the translator made it.
    pub clif: String,
    /// CLIF after Cranelift's optimiser.
    pub optimized: String,
    /// Machine code. It is not linked: the addresses of other functions are not filled in.
    pub code: Vec<u8>,
    /// Pairs of an offset in the code and the operators of the code from there on: the operator itself, then the inlined calls
    /// around it.
    pub wasm_pcs: Vec<(u32, Vec<WasmPc>)>,
    /// Meaning of the source locations in the CLIF.
    pub source_map: SourceMap,
}

/// Compiles a function of a module for people to look at.
///
/// # Errors
/// Returns the reason why the function stays interpreted.
pub(crate) fn examine(
    request: &Request<'_>,
    isa: &dyn TargetIsa,
    context: &mut CompilerContext,
) -> Result<Disassembly, CompileError> {
    context.cranelift.clear();
    let mut turn = Turn::default();
    let Translated { source_map, variables, .. } =
        translate(request, isa, &mut context.cranelift.func, &mut context.function_builder, &mut turn)?;
    let clif = context.cranelift.func.display().to_string();
    let code = finish(isa, context, variables, &mut turn)?;
    let optimized = context.cranelift.func.display().to_string();
    let locations = code.tables.source_locations.iter();
    let wasm_pcs = locations.map(|&(offset, location)| (offset, source_map.wasm_pcs(location))).collect();
    Ok(Disassembly { clif, optimized, code: code.code, wasm_pcs, source_map })
}

/// Compiles the CLIF function that `build` fills in.
///
/// # Errors
/// Returns an error if Cranelift fails.
pub(crate) fn compile_with(
    isa: &dyn TargetIsa,
    context: &mut CompilerContext,
    build: impl FnOnce(&mut ir::Function, &mut FunctionBuilderContext),
) -> Result<CompiledCode, CompileError> {
    context.cranelift.clear();
    build(&mut context.cranelift.func, &mut context.function_builder);
    finish(isa, context, 0, &mut Turn::default())
}

/// Optimises the function in `context` and makes its machine code. `variables` is the number of variables that its translation
/// used.
fn finish(
    isa: &dyn TargetIsa,
    context: &mut CompilerContext,
    variables: usize,
    turn: &mut Turn,
) -> Result<CompiledCode, CompileError> {
    let CompilerContext { cranelift, register_allocator, .. } = context;
    let failed = |error| CompileError::Codegen(format!("{error:?}"));
    // The steps of Cranelift's `Context::compile`, with the operand order and the budget in between.
    let mut control = ControlPlane::default();
    cranelift.optimize(isa, &mut control).map_err(failed)?;
    operand_order::keep(&mut cranelift.func);
    let func = &cranelift.func;
    let params = || func.layout.blocks().map(|block| func.dfg.block_params(block).len());
    let optimised = Optimised {
        instructions: func.layout.blocks().map(|block| func.layout.block_insts(block).count()).sum(),
        params: params().sum(),
        most_params: params().max().unwrap_or(0),
        variables,
    };
    let live = liveness::count(func, &cranelift.domtree, |live| optimised.bytes(live).is_none());
    let bytes = live.and_then(|live| optimised.bytes(&live)).ok_or(CompileError::TooMuch)?;
    turn.take_for(bytes);
    let compiled =
        isa.compile_function(func, &cranelift.domtree, register_allocator, false, &mut control).map_err(failed)?;
    let compiled = compiled.apply_params(&func.params);
    let buffer = &compiled.buffer;
    let relocs = buffer.relocs().iter().map(|reloc| call_reloc(reloc, func));
    let call_sites =
        buffer.call_sites().filter(|site| !site.exception_handlers.is_empty()).map(|site| call_site(&site));
    let mut tables = CodeTables {
        traps: buffer.traps().iter().map(|trap| (trap.offset, meaning(trap))).collect(),
        call_sites: call_sites.collect::<Result<_, CompileError>>()?,
        source_locations: buffer.get_srclocs_sorted().iter().map(|range| (range.start, range.loc.bits())).collect(),
        source_map: None,
    };
    tables.sort();
    let relocs = relocs.collect::<Result<_, CompileError>>()?;
    let mut code = buffer.data().to_vec();
    if !func.dfg.jump_tables.is_empty() {
        dispatch::copy_to_jumps(&mut code, &mut tables, &compiled.bb_starts);
    }
    Ok(CompiledCode { code, relocs, tables, exits: Vec::new() })
}

/// Converts Cranelift's description of a relocation.
///
/// # Errors
/// Returns an error if it is no direct call of a function of the module. The translator emits no other.
fn call_reloc(reloc: &FinalizedMachReloc, func: &ir::Function) -> Result<CallReloc, CompileError> {
    match (reloc.kind, &reloc.target, reloc.addend) {
        (Reloc::X86CallPCRel4, FinalizedRelocTarget::ExternalName(ir::ExternalName::User(name)), -4) => {
            let callee = func.params.user_named_funcs()[*name].index;
            Ok(CallReloc { offset: reloc.offset, callee })
        }
        _ => Err(CompileError::Codegen(format!("a relocation of an unexpected kind: {reloc:?}"))),
    }
}

/// Converts Cranelift's description of a call with landing pads.
///
/// # Errors
/// Returns an error if the description lacks what [`unwind`](crate::unwind) needs to resume at a landing pad.
fn call_site(site: &FinalizedMachCallSite<'_>) -> Result<CallSite, CompileError> {
    let unknown = || CompileError::Codegen("the frame layout of a call with exception handlers is unknown".to_owned());
    let frame_offset = site.frame_offset.ok_or_else(unknown)?;
    let (mut instance_offset, mut landing_pads) = (None, Vec::new());
    for handler in site.exception_handlers {
        match *handler {
            FinalizedMachExceptionHandler::Tag(tag, code) => {
                landing_pads.push(LandingPad { landing: LandingTag::from_word(tag.as_u32()), code });
            }
            // The translator has a tag for everything.
            FinalizedMachExceptionHandler::Default(_) => return Err(unknown()),
            FinalizedMachExceptionHandler::Context(ExceptionContextLoc::SPOffset(offset)) => {
                instance_offset = Some(offset);
            }
            // The `Tail` convention preserves no register, so the context must be in the frame.
            FinalizedMachExceptionHandler::Context(ExceptionContextLoc::GPR(_)) => return Err(unknown()),
        }
    }
    Ok(CallSite { return_offset: site.ret_addr, frame_offset, instance_offset, landing_pads })
}
