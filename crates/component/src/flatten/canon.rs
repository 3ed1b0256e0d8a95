//! Canonical functions: lifts, lowers, builtins, and their options.

use wasmparser::CanonicalOption;
use wasmr_module::{ExternKind, Fault};

use super::{Flattener, FrameId, Item, Result, item};
use crate::component::{Builtin, CoreDef, FuncDef, Lift, Lowering, Options, Step, StringEncoding};
use crate::decode::Def;
use crate::error::fault;
use crate::index::{BuiltinId, LiftId, LoweringId, OptionsId};

impl<'a> Flattener<'a> {
    /// Executes the definition of a canonical function.
    pub(super) fn canonical(&mut self, at: FrameId, def: &'a Def<'a>) -> Result<()> {
        let instance = self.frame(at).instance;
        let builtin = match *def {
            Def::Lift { core_func, ty, ref options } => {
                let func = self.frame(at).core_item(ExternKind::Func, core_func)?.clone();
                let (ty, options) = (self.func_type(at, ty)?, self.options(at, options)?);
                // Lossless, here and below: each definition costs more than a byte of the budget.
                let id = LiftId(self.component.lifts.len() as u32);
                self.component.lifts.push(Lift { func, ty, options, name: None });
                self.frame(at).funcs.push(FuncDef::Lift(id));
                return Ok(());
            }
            Def::Lower { func, ty, ref options, ref core_type } => {
                let func = *item(&self.frame(at).funcs, func)?;
                let (ty, options) = (self.func_type(at, ty)?, self.options(at, options)?);
                // A call passes values by this type on both sides.
                if let FuncDef::Lift(lift) = func
                    && self.component.lifts[lift.index()].ty != ty
                {
                    return Err(fault(Fault::Invalid, "a function is lowered with a type that is not its own"));
                }
                let id = LoweringId(self.component.lowerings.len() as u32);
                self.component.lowerings.push(Lowering { func, ty, options, core_type: core_type.clone() });
                self.frame(at).core(ExternKind::Func).push(CoreDef::Lowering(id));
                return Ok(());
            }
            Def::ResourceNew(id) => Builtin::ResourceNew(self.frame(at).resource(id)?, instance),
            Def::ResourceRep(id) => Builtin::ResourceRep(self.frame(at).resource(id)?, instance),
            Def::ResourceDrop(id) => Builtin::ResourceDrop(self.frame(at).resource(id)?, instance),
            Def::ContextGet(word, ref core_type) => Builtin::ContextGet(word, core_type.clone()),
            Def::ContextSet(word, ref core_type) => Builtin::ContextSet(word, core_type.clone()),
            Def::BackpressureInc => Builtin::BackpressureInc(instance),
            Def::BackpressureDec => Builtin::BackpressureDec(instance),
            Def::Unsupported(name, ref core_type) => Builtin::Unsupported(name, core_type.clone(), instance),
            _ => unreachable!("`execute` passes only canonical functions"),
        };
        let id = BuiltinId(self.component.builtins.len() as u32);
        self.component.builtins.push(builtin);
        self.frame(at).core(ExternKind::Func).push(CoreDef::Builtin(id));
        Ok(())
    }

    /// Returns the id of canonical options of a frame's instance. New options are a step.
    fn options(&mut self, at: FrameId, all: &[CanonicalOption]) -> Result<OptionsId> {
        let frame = self.frame(at);
        let mut options = Options {
            instance: frame.instance,
            encoding: StringEncoding::Utf8,
            memory: None,
            realloc: None,
            post_return: None,
            is_async: false,
            callback: None,
        };
        for option in all {
            let core = |kind, index| frame.core_item(kind, index).cloned().map(Some);
            match *option {
                CanonicalOption::UTF8 => options.encoding = StringEncoding::Utf8,
                CanonicalOption::UTF16 => options.encoding = StringEncoding::Utf16,
                CanonicalOption::CompactUTF16 => options.encoding = StringEncoding::CompactUtf16,
                CanonicalOption::Memory(index) => options.memory = core(ExternKind::Memory, index)?,
                CanonicalOption::Realloc(index) => options.realloc = core(ExternKind::Func, index)?,
                CanonicalOption::PostReturn(index) => options.post_return = core(ExternKind::Func, index)?,
                CanonicalOption::Callback(index) => options.callback = core(ExternKind::Func, index)?,
                CanonicalOption::Async => options.is_async = true,
                CanonicalOption::CoreType(_) | CanonicalOption::Gc => {
                    let message = "a canonical function represents values as garbage collected objects";
                    return Err(fault(Fault::Unsupported, message));
                }
            }
        }
        if let Some(&id) = self.options.get(&options) {
            return Ok(id);
        }
        let id = OptionsId(self.component.options.len() as u32);
        self.component.options.push(options.clone());
        self.component.steps.push(Step::Options(id));
        self.options.insert(options, id);
        Ok(id)
    }

    /// Names a lifted function in messages, if it has no name yet.
    pub(super) fn name(&mut self, name: &str, found: Item) {
        if let Item::Func(FuncDef::Lift(id)) = found {
            let lift = &mut self.component.lifts[id.index()];
            lift.name.get_or_insert_with(|| name.into());
        }
    }
}
