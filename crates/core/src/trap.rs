//! [`TrapCode`]: the reasons why a running guest can trap. The texts are those of the official test suite, which compares them.

/// Declares [`TrapCode`]: one row per trap, `Name = "spec text"`.
macro_rules! trap_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The reason for a trap.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum TrapCode { $($(#[$doc])* $name,)* }

        impl TrapCode {
            /// All codes, in declaration order: `ALL[code as usize] == code`.
            pub const ALL: &'static [TrapCode] = &[$(TrapCode::$name,)*];

            /// Returns the specification's text for the trap.
            pub const fn message(self) -> &'static str {
                match self { $(TrapCode::$name => $text,)* }
            }
        }
    };
}

trap_codes! {
    /// An executed `unreachable`.
    Unreachable = "unreachable";
    /// A load, store or bulk operation outside the memory.
    MemoryOutOfBounds = "out of bounds memory access";
    /// An atomic access at an address that is no multiple of its size.
    UnalignedAtomic = "unaligned atomic";
    /// `memory.atomic.wait32` or `memory.atomic.wait64` on a memory that is not shared.
    ExpectedSharedMemory = "expected shared memory";
    /// A table access outside the table.
    TableOutOfBounds = "out of bounds table access";
    /// `call_indirect` with an index outside the table.
    UndefinedElement = "undefined element";
    /// `call_indirect` on a null element.
    UninitializedElement = "uninitialized element";
    /// `call_indirect` on a function of another type.
    IndirectCallTypeMismatch = "indirect call type mismatch";
    /// Division or remainder by zero.
    IntegerDivideByZero = "integer divide by zero";
    /// A quotient or conversion that its type cannot represent.
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
    /// An access to a struct through null.
    NullStructReference = "null structure reference";
    /// An access to an array through null.
    NullArrayReference = "null array reference";
    /// `i31.get_s` or `i31.get_u` of null.
    NullI31Reference = "null i31 reference";
    /// An array access outside the array.
    ArrayOutOfBounds = "out of bounds array access";
    /// `ref.cast` to a type that the object is not an instance of.
    CastFailure = "cast failure";
    /// An allocation for which the store's limit left no room.
    HeapFull = "garbage-collected heap is full";
    /// A pointer passed to a host function that lacks the required alignment.
    MisalignedPointer = "misaligned pointer";
    /// A violation of the component model's canonical ABI, such as a bad handle or pointer. The details of the trap are its text.
    CanonicalAbi = "violation of the canonical ABI";
    /// No fuel left of the amount that the embedder supplied.
    OutOfFuel = "all fuel consumed";
    /// A request of the embedder to stop the guest.
    Interrupted = "interrupted";
}

impl std::fmt::Display for TrapCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}
