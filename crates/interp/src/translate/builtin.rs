//! Libcalls: operands go to consecutive slots, one instruction executes the operator, and the results replace the operands.

use wasmparser::Operator;
use wasmr_module::{BuiltinCall, BuiltinResult};
use wasmr_runtime::builtins::entry;

use super::Translator;
use super::stack::{Kind, Ty};
use crate::execute::dispatch::Handler;
use crate::instr::{Builtin, MemoryCopy, MemoryFill, handler};

impl Translator<'_> {
    /// Translates `operator` if the runtime executes it. Returns true if it does.
    pub(crate) fn builtin_operator(&mut self, operator: &Operator<'_>) -> bool {
        let Some(call) = BuiltinCall::of(operator) else { return false };
        let (count, _) = call.operand_counts(self.module);
        self.flush_top(count);
        let first = self.stack.len() - count;
        let height = self.stack.get(first).map_or(self.height, |value| value.height);
        let slot = self.temp_slot(height);
        let row = call.builtin as u64 | (slot as u32 as u64) << 32;
        let words = [row, entry(call.builtin) as usize as u64, call.immediates];
        match self.without_call(operator) {
            Some((handler, more)) => {
                self.emit(handler, &words);
                self.code.push(more);
            }
            None => {
                self.emit(handler(Builtin, ()), &words);
            }
        }
        self.truncate(first);
        self.clobber_all();
        for &ty in call.results(self.module) {
            self.push(Kind::Temp, Ty::of(ty));
        }
        if call.builtin.result() == BuiltinResult::Never {
            self.become_unreachable();
        }
        true
    }

    /// Returns the handler that executes small cases of the operator without a libcall, if there is one, and the handler's word
    /// 4.
    fn without_call(&self, operator: &Operator<'_>) -> Option<(Handler, u64)> {
        let memory = |index: u32| self.layout.memory(index) as u64;
        match *operator {
            Operator::MemoryFill { mem } => Some((handler(MemoryFill, ()), memory(mem))),
            Operator::MemoryCopy { dst_mem, src_mem } => {
                Some((handler(MemoryCopy, ()), memory(dst_mem) | memory(src_mem) << 32))
            }
            _ => None,
        }
    }
}
