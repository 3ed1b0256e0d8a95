//! [`Scope`]: the handles that a call lends, and those that it must give back.
//!
//! A call whose parameters contain borrows has a scope from the first lift of its arguments to its end, also if it ends early. Calls
//! nest, so the scopes are a stack, and the position of a scope names it.

use crate::error::{AbiError, Result};
use crate::handles::{Handle, HandleKind};
use crate::resource::ResourceKey;
use crate::state::{InstanceKey, State};

/// The borrows of a call.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// Number that no other scope of the store has.
    id: u64,
    /// Number of borrow handles of the callee that it has not dropped.
    borrows: u32,
    /// The handles of the caller that are lent, one entry for each borrow.
    lends: Vec<Lend>,
}

/// A handle that is lent.
#[derive(Clone, Copy, Debug)]
struct Lend {
    /// The instance whose handle it is; `None` for the embedder's.
    owner: Option<InstanceKey>,
    index: u32,
}

impl State {
    /// Opens a scope. Returns its number.
    pub(crate) fn open_scope(&mut self) -> u32 {
        self.opened_scopes += 1;
        self.scopes.push(Scope { id: self.opened_scopes, ..Scope::default() });
        (self.scopes.len() - 1) as u32
    }

    /// Checks that the callee of a scope has dropped its borrow handles.
    pub(crate) fn check_borrows(&self, number: u32) -> Result<()> {
        match self.scopes.get(number as usize) {
            Some(scope) if scope.borrows != 0 => {
                Err(AbiError::trap("borrow handles still remain at the end of the call"))
            }
            _ => Ok(()),
        }
    }

    /// Ends the scope `number`, and those that calls inside it left open when they ended early. Lent handles are free again.
    pub(crate) fn close_scope(&mut self, number: u32) {
        while self.scopes.len() > number as usize {
            let Some(scope) = self.scopes.pop() else { break };
            for Lend { owner, index } in scope.lends {
                if let Ok(handle) = self.table(owner).get(index) {
                    handle.lends = handle.lends.saturating_sub(1);
                }
            }
        }
    }

    /// Lends a handle for the call of a scope. Returns the representation.
    pub(crate) fn lend(&mut self, owner: InstanceKey, index: u32, ty: ResourceKey, scope: u32) -> Result<u32> {
        let handle = self.handle(owner, index, ty)?;
        handle.lends += 1;
        let rep = handle.rep;
        self.note_lend(scope, Some(owner), index);
        Ok(rep)
    }

    /// Returns the id of a scope.
    pub(crate) fn scope_id(&self, number: u32) -> u64 {
        self.scopes.get(number as usize).map_or(0, |scope| scope.id)
    }

    /// Returns true if the call of a scope has not returned.
    pub(crate) fn is_open(&self, id: u64) -> bool {
        self.scopes.iter().any(|scope| scope.id == id)
    }

    /// Lends a handle of the embedder for the call of a scope.
    pub(crate) fn lend_of_host(&mut self, index: u32, scope: u32) -> Result<()> {
        self.host.get(index)?.lends += 1;
        self.note_lend(scope, None, index);
        Ok(())
    }

    fn note_lend(&mut self, scope: u32, owner: Option<InstanceKey>, index: u32) {
        if let Some(scope) = self.scopes.get_mut(scope as usize) {
            scope.lends.push(Lend { owner, index });
        }
    }

    /// Passes a borrowed resource to an instance, for the call of a scope. Returns the core value: the representation, if the instance
    /// implements the type, else the index of a handle that it must drop.
    pub(crate) fn give_borrow(&mut self, to: InstanceKey, ty: ResourceKey, rep: u32, scope: u32) -> Result<u32> {
        if self.resources[ty.0 as usize].implementer == Some(to) {
            return Ok(rep);
        }
        let index = self.instance(to).handles.add(Handle { ty, rep, lends: 0, kind: HandleKind::Borrow { scope } })?;
        if let Some(scope) = self.scopes.get_mut(scope as usize) {
            scope.borrows += 1;
        }
        Ok(index)
    }

    /// Notes that the callee of a scope dropped a borrow handle.
    pub(crate) fn return_borrow(&mut self, scope: u32) {
        if let Some(scope) = self.scopes.get_mut(scope as usize) {
            scope.borrows = scope.borrows.saturating_sub(1);
        }
    }
}
