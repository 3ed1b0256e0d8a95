//! [`SavedProfile`]: the part of a module's profile that outlives the process. It tells the next process which functions are worth
//! compiling, before it has taken samples of its own.

use wasmr_core::encoding::{Decoder, Encoder};

/// The profile of a module, in the order in which it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedProfile {
    /// Samples of functions that have no machine code.
    pub functions: Vec<FunctionSamples>,
    /// Samples of calls, by callee.
    pub calls: Vec<CallSamples>,
    /// Functions and loops that the compiler refused.
    pub refused: Vec<RefusedWork>,
}

/// The samples that found a function, in all runs. The first call in a run counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FunctionSamples {
    /// Index of the function, counted from the first that the module defines.
    pub index: u32,
    /// True if memory 0 of its instances was guard-paged.
    pub guarded: bool,
    pub samples: u32,
}

/// The samples that found a call operator waiting for one callee, in all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallSamples {
    /// Offset of the call operator in the module.
    pub offset: u32,
    /// Index of the callee, counted from the first function that the module defines.
    pub callee: u32,
    pub samples: u32,
}

/// A function or loop that the compiler refused, and would refuse again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefusedWork {
    /// Index of the function, counted from the first that the module defines.
    pub index: u32,
    pub guarded: bool,
    /// Offset of the loop; `None` for the function's start.
    pub at_loop: Option<u32>,
}

impl SavedProfile {
    /// Returns the functions that the compiler refused for instances of a kind.
    pub(crate) fn refused_functions(&self, guarded: bool) -> impl Iterator<Item = u32> {
        let refused = self.refused.iter().filter(move |work| work.guarded == guarded && work.at_loop.is_none());
        refused.map(|work| work.index)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.list(&self.functions, |out, function| {
            out.u32(function.index);
            out.u32(function.guarded.into());
            out.u32(function.samples);
        });
        out.list(&self.calls, |out, call| {
            out.u32(call.offset);
            out.u32(call.callee);
            out.u32(call.samples);
        });
        out.list(&self.refused, |out, work| {
            out.u32(work.index);
            out.u32(work.guarded.into());
            out.option(work.at_loop);
        });
        out.into_bytes()
    }

    /// Reads a profile of a module with this number of defined functions. Returns `None` if the bytes are something else.
    pub(crate) fn decode(bytes: &[u8], defined_funcs: u32) -> Option<SavedProfile> {
        let mut from = Decoder::new(bytes);
        let index = |from: &mut Decoder<'_>| from.u32().filter(|&index| index < defined_funcs);
        let functions = from
            .list(|from| Some(FunctionSamples { index: index(from)?, guarded: from.flag()?, samples: from.u32()? }))?;
        let calls =
            from.list(|from| Some(CallSamples { offset: from.u32()?, callee: index(from)?, samples: from.u32()? }))?;
        let refused = from
            .list(|from| Some(RefusedWork { index: index(from)?, guarded: from.flag()?, at_loop: from.option()? }))?;
        from.is_at_end().then_some(SavedProfile { functions, calls, refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_as_it_was_written() {
        let profile = SavedProfile {
            functions: vec![FunctionSamples { index: 9, guarded: true, samples: 70_000 }],
            calls: vec![CallSamples { offset: 1 << 30, callee: 0, samples: 1 }],
            refused: vec![RefusedWork { index: 1, guarded: false, at_loop: Some(300) }],
        };
        let bytes = profile.encode();
        assert_eq!(SavedProfile::decode(&bytes, 10), Some(profile));
        assert_eq!(SavedProfile::decode(&bytes, 9), None, "there is no function 9");
        for len in 0..bytes.len() {
            assert_eq!(SavedProfile::decode(&bytes[..len], 10), None);
        }
        assert_eq!(SavedProfile::decode(&[bytes, vec![0]].concat(), 10), None);
    }
}
