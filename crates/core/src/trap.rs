//! Every way in which a running guest can trap. The text is the spec's, as the official test suite and users match it.

/// Declares [`TrapCode`]: one row per trap, `Name = "spec text"`.
macro_rules! trap_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Why a guest trapped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum TrapCode { $($(#[$doc])* $name,)* }

        impl TrapCode {
            /// Every code, in declaration order: `ALL[code as usize] == code`.
            pub const ALL: &'static [TrapCode] = &[$(TrapCode::$name,)*];

            /// The spec's phrase.
            pub const fn message(self) -> &'static str {
                match self { $(TrapCode::$name => $text,)* }
            }
        }
    };
}

trap_codes! {
    /// `unreachable` was executed.
    Unreachable = "unreachable";
    /// A load, store or bulk operation left the memory.
    MemoryOutOfBounds = "out of bounds memory access";
    /// A table access left the table.
    TableOutOfBounds = "out of bounds table access";
    /// `call_indirect` with an index outside the table.
    UndefinedElement = "undefined element";
    /// `call_indirect` on a null element.
    UninitializedElement = "uninitialized element";
    /// `call_indirect` on a function of another type.
    IndirectCallTypeMismatch = "indirect call type mismatch";
    /// Division or remainder by zero.
    IntegerDivideByZero = "integer divide by zero";
    /// A quotient or conversion that does not fit.
    IntegerOverflow = "integer overflow";
    /// A conversion of NaN to an integer.
    InvalidConversionToInteger = "invalid conversion to integer";
    /// Calls nested too deeply.
    StackExhausted = "call stack exhausted";
    /// `ref.as_non_null` on null.
    NullReference = "null reference";
    /// `call_ref` on null.
    NullFunctionReference = "null function reference";
    /// `throw_ref` on null.
    NullExceptionReference = "null exception reference";
    /// A host function was given a pointer that is not aligned as it must be.
    MisalignedPointer = "misaligned pointer";
    /// The fuel that the embedder gave is used up.
    OutOfFuel = "all fuel consumed";
    /// The embedder asked the guest to stop.
    Interrupted = "interrupted";
}

impl std::fmt::Display for TrapCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}
