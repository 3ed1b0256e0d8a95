//! The table of operator classes: the facts about each operator that do not depend on its operands.
//!
//! For an operator of wasmparser, this file returns its [`OperatorClass`] and its [`Support`]. The users are
//! - `fuel_cost` and the translators, which charge fuel for each basic block;
//! - both translators, which skip unreachable code;
//! - the compiler, which inlines no tail calls, and the engine, which looks for leaf functions
//!   ([`FuncBody::is_leaf`](crate::FuncBody::is_leaf));
//! - listings ([`operators`](crate::operators::operators)), which indent blocks;
//! - `execution`, which refuses operators that no tier executes.
//!
//! # Completeness
//! [`OperatorClass::of`] expands wasmparser's list of operators and looks up each name in the table below, by proposal. An
//! operator without a row, or with a row in a different proposal, is a compile error. The compiler reports a row without an
//! operator as unused.
//!
//! # Cost
//! The compiler turns the match over all operators into one load from a table of bytes, indexed by the discriminant.

use wasmparser::Operator;
use wasmr_core::fuel::{BYTES_PER_FUEL_LOG2, ELEMENTS_PER_FUEL_LOG2};

use crate::features::Feature;

/// The fuel cost of an operator itself. [`Costs`](crate::fuel_cost::Costs) adds the cost of carried values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fuel {
    /// None: the operator only marks structure.
    Free,
    /// One unit.
    One,
    /// One unit, and more in proportion to the last operand, a number of bytes.
    Bytes,
    /// One unit, and more in proportion to the last operand, a number of elements.
    Elements,
}

/// The control flow at an operator, apart from traps and from exceptions that callees throw.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Straight-line code continues: control goes only to the next operator, and reaches that only from this one.
    Straight,
    /// Straight-line code ends: control may also go elsewhere, or reach the next operator from elsewhere.
    Boundary,
    /// Control never goes to the next operator.
    Leaves,
}

/// The effect of an operator on the nesting of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// No effect.
    Same,
    /// Opens a block.
    Opens,
    /// Ends one arm of the innermost block and starts the next.
    Divides,
    /// Closes the innermost block.
    Closes,
}

/// Expands the table of classes, which has one row for each class.
macro_rules! classes {
    ($($class:ident $fuel:ident $flow:ident $nesting:ident $in_leaf:literal $help:literal;)*) => {
        /// A class of operators.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum OperatorClass {
            $(#[doc = $help] $class,)*
        }

        impl OperatorClass {
            const fn fuel(self) -> Fuel {
                match self { $(OperatorClass::$class => Fuel::$fuel,)* }
            }

            const fn flow(self) -> Flow {
                match self { $(OperatorClass::$class => Flow::$flow,)* }
            }

            /// Returns the operator's effect on the nesting of blocks.
            pub const fn nesting(self) -> Nesting {
                match self { $(OperatorClass::$class => Nesting::$nesting,)* }
            }

            /// Returns true if a leaf function, which has no calls and no loops, may contain the operator.
            pub const fn is_in_leaf(self) -> bool {
                match self { $(OperatorClass::$class => $in_leaf,)* }
            }
        }
    };
}

classes! {
    // class  fuel     flow     nesting in leaf
    Plain     One      Straight Same    true  "Computes, reads or writes, for one unit of fuel.";
    Bytes     Bytes    Straight Same    true  "Processes the number of bytes in its last operand.";
    Elements  Elements Straight Same    true  "Processes the number of elements in its last operand.";
    Nop       Free     Straight Same    true  "Does nothing.";
    Block     Free     Straight Opens   true  "Opens a block whose label is its end.";
    Try       Free     Straight Opens   true  "Opens a block that catches exceptions. Its label is its end.";
    Loop      Free     Boundary Opens   false "Opens a block whose label is its start.";
    If        One      Boundary Opens   true  "Opens a block, or goes to its `else` or its end.";
    Else      Free     Boundary Divides true  "Ends one arm of a block and starts the next.";
    End       Free     Boundary Closes  true  "Closes a block or the function.";
    Branch    One      Leaves   Same    true  "Goes to a label.";
    BranchIf  One      Boundary Same    true  "Goes to a label or to the next operator.";
    Return    One      Leaves   Same    true  "Goes to the end of the function.";
    Throw     One      Leaves   Same    true  "Throws an exception.";
    Trap      One      Leaves   Same    true  "Traps.";
    Call      One      Straight Same    false "Calls a function that returns to the next operator.";
    TailCall  One      Leaves   Same    false "Calls a function that replaces the caller.";
}

impl OperatorClass {
    /// Returns true if the operator only marks structure and itself costs no fuel.
    pub const fn is_mark(self) -> bool {
        matches!(self.fuel(), Fuel::Free)
    }

    /// Returns the binary logarithm of the bytes or elements that the operator processes for one unit of fuel, if its cost
    /// depends on its last operand.
    pub const fn size_log2(self) -> Option<u32> {
        match self.fuel() {
            Fuel::Free | Fuel::One => None,
            Fuel::Bytes => Some(BYTES_PER_FUEL_LOG2),
            Fuel::Elements => Some(ELEMENTS_PER_FUEL_LOG2),
        }
    }

    /// Returns true if the operator is the last one of a basic block as [`wasmr_core::fuel`] defines it.
    pub const fn ends_fuel_block(self) -> bool {
        match self.flow() {
            Flow::Straight => false,
            Flow::Boundary | Flow::Leaves => true,
        }
    }

    /// Returns true if control never goes from the operator to the next one. The following operators are then
    /// [unreachable](https://webassembly.github.io/spec/core/appendix/algorithm.html), up to the `else` or `end` of the
    /// innermost block.
    pub const fn never_falls_through(self) -> bool {
        matches!(self.flow(), Flow::Leaves)
    }
}

/// The support for an operator: always, by a feature, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// No feature switches the operator off, and wasmr executes it.
    Always,
    /// The operator belongs to this feature. wasmr executes it.
    Feature(Feature),
    /// The operator belongs to a proposal without a feature in wasmr, so no valid module has it.
    Unknown,
}

impl Support {
    /// Returns true if wasmr executes the operator.
    pub const fn is_executed(self) -> bool {
        match self {
            Support::Always | Support::Feature(_) => true,
            Support::Unknown => false,
        }
    }
}

/// Expands the table of operators to a module for each proposal, with a constant for each operator.
macro_rules! operators {
    ($($proposal:ident: $support:ident {$($class:ident: $($op:ident)+;)+})*) => {
        #[allow(non_upper_case_globals, reason = "the names are those of wasmparser's operators")]
        mod rows {
            $(pub(super) mod $proposal {
                use crate::operator_class::{OperatorClass, Support};

                pub(crate) const SUPPORT: Support = operators!(@support $support);
                $($(pub(crate) const $op: OperatorClass = OperatorClass::$class;)+)+
            })*
        }
    };
    (@support always) => { Support::Always };
    (@support unknown) => { Support::Unknown };
    (@support $feature:ident) => { Support::Feature(crate::features::Feature::$feature) };
}

// Proposals and operators have wasmparser's names. After the proposal comes its feature, `always` if no feature switches it
// off, or `unknown` if wasmr has no feature for it.
operators! {
    mvp: always {
        Nop:      Nop;
        Block:    Block;
        Loop:     Loop;
        If:       If;
        Else:     Else;
        End:      End;
        Branch:   Br BrTable;
        BranchIf: BrIf;
        Return:   Return;
        Trap:     Unreachable;
        Call:     Call CallIndirect;
        Plain:    Drop Select;
        Plain:    LocalGet LocalSet LocalTee GlobalGet GlobalSet;
        Plain:    I32Load I64Load F32Load F64Load I32Load8S I32Load8U I32Load16S I32Load16U I64Load8S I64Load8U
                  I64Load16S I64Load16U I64Load32S I64Load32U;
        Plain:    I32Store I64Store F32Store F64Store I32Store8 I32Store16 I64Store8 I64Store16 I64Store32;
        Plain:    MemorySize MemoryGrow;
        Plain:    I32Const I64Const F32Const F64Const;
        Plain:    I32Eqz I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU;
        Plain:    I64Eqz I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU;
        Plain:    F32Eq F32Ne F32Lt F32Gt F32Le F32Ge;
        Plain:    F64Eq F64Ne F64Lt F64Gt F64Le F64Ge;
        Plain:    I32Clz I32Ctz I32Popcnt I32Add I32Sub I32Mul I32DivS I32DivU I32RemS I32RemU I32And I32Or I32Xor
                  I32Shl I32ShrS I32ShrU I32Rotl I32Rotr;
        Plain:    I64Clz I64Ctz I64Popcnt I64Add I64Sub I64Mul I64DivS I64DivU I64RemS I64RemU I64And I64Or I64Xor
                  I64Shl I64ShrS I64ShrU I64Rotl I64Rotr;
        Plain:    F32Abs F32Neg F32Ceil F32Floor F32Trunc F32Nearest F32Sqrt F32Add F32Sub F32Mul F32Div F32Min F32Max
                  F32Copysign;
        Plain:    F64Abs F64Neg F64Ceil F64Floor F64Trunc F64Nearest F64Sqrt F64Add F64Sub F64Mul F64Div F64Min F64Max
                  F64Copysign;
        Plain:    I32WrapI64 I32TruncF32S I32TruncF32U I32TruncF64S I32TruncF64U I64ExtendI32S I64ExtendI32U
                  I64TruncF32S I64TruncF32U I64TruncF64S I64TruncF64U F32ConvertI32S F32ConvertI32U F32ConvertI64S
                  F32ConvertI64U F32DemoteF64 F64ConvertI32S F64ConvertI32U F64ConvertI64S F64ConvertI64U F64PromoteF32
                  I32ReinterpretF32 I64ReinterpretF64 F32ReinterpretI32 F64ReinterpretI64;
    }
    sign_extension: always {
        Plain:    I32Extend8S I32Extend16S I64Extend8S I64Extend16S I64Extend32S;
    }
    saturating_float_to_int: always {
        Plain:    I32TruncSatF32S I32TruncSatF32U I32TruncSatF64S I32TruncSatF64U I64TruncSatF32S I64TruncSatF32U
                  I64TruncSatF64S I64TruncSatF64U;
    }
    bulk_memory: BulkMemory {
        Bytes:    MemoryInit MemoryCopy MemoryFill;
        Elements: TableInit TableCopy;
        Plain:    DataDrop ElemDrop;
    }
    reference_types: ReferenceTypes {
        Elements: TableFill TableGrow;
        Plain:    TypedSelect TypedSelectMulti RefNull RefIsNull RefFunc TableGet TableSet TableSize;
    }
    tail_call: TailCall {
        TailCall: ReturnCall ReturnCallIndirect;
    }
    exceptions: Exceptions {
        Try:      TryTable;
        Throw:    Throw ThrowRef;
    }
    function_references: FunctionReferences {
        BranchIf: BrOnNull BrOnNonNull;
        Call:     CallRef;
        TailCall: ReturnCallRef;
        Plain:    RefAsNonNull;
    }
    simd: Simd {
        Plain:    V128Load V128Load8x8S V128Load8x8U V128Load16x4S V128Load16x4U V128Load32x2S V128Load32x2U
                  V128Load8Splat V128Load16Splat V128Load32Splat V128Load64Splat V128Load32Zero V128Load64Zero
                  V128Load8Lane V128Load16Lane V128Load32Lane V128Load64Lane;
        Plain:    V128Store V128Store8Lane V128Store16Lane V128Store32Lane V128Store64Lane;
        Plain:    V128Const V128Not V128And V128AndNot V128Or V128Xor V128Bitselect V128AnyTrue;
        Plain:    I8x16Shuffle I8x16ExtractLaneS I8x16ExtractLaneU I8x16ReplaceLane I16x8ExtractLaneS I16x8ExtractLaneU
                  I16x8ReplaceLane I32x4ExtractLane I32x4ReplaceLane I64x2ExtractLane I64x2ReplaceLane F32x4ExtractLane
                  F32x4ReplaceLane F64x2ExtractLane F64x2ReplaceLane I8x16Swizzle I8x16Splat I16x8Splat I32x4Splat
                  I64x2Splat F32x4Splat F64x2Splat;
        Plain:    I8x16Eq I8x16Ne I8x16LtS I8x16LtU I8x16GtS I8x16GtU I8x16LeS I8x16LeU I8x16GeS I8x16GeU I8x16Abs
                  I8x16Neg I8x16Popcnt I8x16AllTrue I8x16Bitmask I8x16NarrowI16x8S I8x16NarrowI16x8U I8x16Shl I8x16ShrS
                  I8x16ShrU I8x16Add I8x16AddSatS I8x16AddSatU I8x16Sub I8x16SubSatS I8x16SubSatU I8x16MinS I8x16MinU
                  I8x16MaxS I8x16MaxU I8x16AvgrU;
        Plain:    I16x8Eq I16x8Ne I16x8LtS I16x8LtU I16x8GtS I16x8GtU I16x8LeS I16x8LeU I16x8GeS I16x8GeU
                  I16x8ExtAddPairwiseI8x16S I16x8ExtAddPairwiseI8x16U I16x8Abs I16x8Neg I16x8Q15MulrSatS I16x8AllTrue
                  I16x8Bitmask I16x8NarrowI32x4S I16x8NarrowI32x4U I16x8ExtendLowI8x16S I16x8ExtendHighI8x16S
                  I16x8ExtendLowI8x16U I16x8ExtendHighI8x16U I16x8Shl I16x8ShrS I16x8ShrU I16x8Add I16x8AddSatS
                  I16x8AddSatU I16x8Sub I16x8SubSatS I16x8SubSatU I16x8Mul I16x8MinS I16x8MinU I16x8MaxS I16x8MaxU
                  I16x8AvgrU I16x8ExtMulLowI8x16S I16x8ExtMulHighI8x16S I16x8ExtMulLowI8x16U I16x8ExtMulHighI8x16U;
        Plain:    I32x4Eq I32x4Ne I32x4LtS I32x4LtU I32x4GtS I32x4GtU I32x4LeS I32x4LeU I32x4GeS I32x4GeU
                  I32x4ExtAddPairwiseI16x8S I32x4ExtAddPairwiseI16x8U I32x4Abs I32x4Neg I32x4AllTrue I32x4Bitmask
                  I32x4ExtendLowI16x8S I32x4ExtendHighI16x8S I32x4ExtendLowI16x8U I32x4ExtendHighI16x8U I32x4Shl
                  I32x4ShrS I32x4ShrU I32x4Add I32x4Sub I32x4Mul I32x4MinS I32x4MinU I32x4MaxS I32x4MaxU I32x4DotI16x8S
                  I32x4ExtMulLowI16x8S I32x4ExtMulHighI16x8S I32x4ExtMulLowI16x8U I32x4ExtMulHighI16x8U
                  I32x4TruncSatF32x4S I32x4TruncSatF32x4U I32x4TruncSatF64x2SZero I32x4TruncSatF64x2UZero;
        Plain:    I64x2Eq I64x2Ne I64x2LtS I64x2GtS I64x2LeS I64x2GeS I64x2Abs I64x2Neg I64x2AllTrue I64x2Bitmask
                  I64x2ExtendLowI32x4S I64x2ExtendHighI32x4S I64x2ExtendLowI32x4U I64x2ExtendHighI32x4U I64x2Shl
                  I64x2ShrS I64x2ShrU I64x2Add I64x2Sub I64x2Mul I64x2ExtMulLowI32x4S I64x2ExtMulHighI32x4S
                  I64x2ExtMulLowI32x4U I64x2ExtMulHighI32x4U;
        Plain:    F32x4Eq F32x4Ne F32x4Lt F32x4Gt F32x4Le F32x4Ge F32x4Ceil F32x4Floor F32x4Trunc F32x4Nearest F32x4Abs
                  F32x4Neg F32x4Sqrt F32x4Add F32x4Sub F32x4Mul F32x4Div F32x4Min F32x4Max F32x4PMin F32x4PMax
                  F32x4ConvertI32x4S F32x4ConvertI32x4U F32x4DemoteF64x2Zero;
        Plain:    F64x2Eq F64x2Ne F64x2Lt F64x2Gt F64x2Le F64x2Ge F64x2Ceil F64x2Floor F64x2Trunc F64x2Nearest F64x2Abs
                  F64x2Neg F64x2Sqrt F64x2Add F64x2Sub F64x2Mul F64x2Div F64x2Min F64x2Max F64x2PMin F64x2PMax
                  F64x2ConvertLowI32x4S F64x2ConvertLowI32x4U F64x2PromoteLowF32x4;
    }
    relaxed_simd: RelaxedSimd {
        Plain:    I8x16RelaxedSwizzle I32x4RelaxedTruncF32x4S I32x4RelaxedTruncF32x4U I32x4RelaxedTruncF64x2SZero
                  I32x4RelaxedTruncF64x2UZero F32x4RelaxedMadd F32x4RelaxedNmadd F64x2RelaxedMadd F64x2RelaxedNmadd
                  I8x16RelaxedLaneselect I16x8RelaxedLaneselect I32x4RelaxedLaneselect I64x2RelaxedLaneselect
                  F32x4RelaxedMin F32x4RelaxedMax F64x2RelaxedMin F64x2RelaxedMax I16x8RelaxedQ15mulrS
                  I16x8RelaxedDotI8x16I7x16S I32x4RelaxedDotI8x16I7x16AddS;
    }
    gc: Gc {
        BranchIf: BrOnCast BrOnCastFail;
        Elements: ArrayNew ArrayNewDefault ArrayNewData ArrayNewElem ArrayFill ArrayCopy ArrayInitData ArrayInitElem;
        Plain:    RefEq RefTestNonNull RefTestNullable RefCastNonNull RefCastNullable AnyConvertExtern ExternConvertAny
                  RefI31 I31GetS I31GetU;
        Plain:    StructNew StructNewDefault StructGet StructGetS StructGetU StructSet;
        Plain:    ArrayNewFixed ArrayGet ArrayGetS ArrayGetU ArraySet ArrayLen;
    }
    legacy_exceptions: LegacyExceptions {
        Try:      Try;
        Else:     Catch CatchAll;
        End:      Delegate;
        Throw:    Rethrow;
    }
    threads: Threads {
        Plain:    MemoryAtomicNotify MemoryAtomicWait32 MemoryAtomicWait64 AtomicFence;
        Plain:    I32AtomicLoad I32AtomicLoad8U I32AtomicLoad16U I32AtomicStore I32AtomicStore8 I32AtomicStore16
                  I32AtomicRmwAdd I32AtomicRmw8AddU I32AtomicRmw16AddU I32AtomicRmwSub I32AtomicRmw8SubU
                  I32AtomicRmw16SubU I32AtomicRmwAnd I32AtomicRmw8AndU I32AtomicRmw16AndU I32AtomicRmwOr
                  I32AtomicRmw8OrU I32AtomicRmw16OrU I32AtomicRmwXor I32AtomicRmw8XorU I32AtomicRmw16XorU
                  I32AtomicRmwXchg I32AtomicRmw8XchgU I32AtomicRmw16XchgU I32AtomicRmwCmpxchg I32AtomicRmw8CmpxchgU
                  I32AtomicRmw16CmpxchgU;
        Plain:    I64AtomicLoad I64AtomicLoad8U I64AtomicLoad16U I64AtomicLoad32U I64AtomicStore I64AtomicStore8
                  I64AtomicStore16 I64AtomicStore32 I64AtomicRmwAdd I64AtomicRmw8AddU I64AtomicRmw16AddU
                  I64AtomicRmw32AddU I64AtomicRmwSub I64AtomicRmw8SubU I64AtomicRmw16SubU I64AtomicRmw32SubU
                  I64AtomicRmwAnd I64AtomicRmw8AndU I64AtomicRmw16AndU I64AtomicRmw32AndU I64AtomicRmwOr
                  I64AtomicRmw8OrU I64AtomicRmw16OrU I64AtomicRmw32OrU I64AtomicRmwXor I64AtomicRmw8XorU
                  I64AtomicRmw16XorU I64AtomicRmw32XorU I64AtomicRmwXchg I64AtomicRmw8XchgU I64AtomicRmw16XchgU
                  I64AtomicRmw32XchgU I64AtomicRmwCmpxchg I64AtomicRmw8CmpxchgU I64AtomicRmw16CmpxchgU
                  I64AtomicRmw32CmpxchgU;
    }
    wide_arithmetic: WideArithmetic {
        Plain:    I64Add128 I64Sub128 I64MulWideS I64MulWideU;
    }
    acquire_release_atomics: unknown {
        Plain:    Pause;
    }
    shared_everything_threads: unknown {
        Plain:    GlobalAtomicGet GlobalAtomicSet GlobalAtomicRmwAdd GlobalAtomicRmwSub GlobalAtomicRmwAnd
                  GlobalAtomicRmwOr GlobalAtomicRmwXor GlobalAtomicRmwXchg GlobalAtomicRmwCmpxchg;
        Plain:    TableAtomicGet TableAtomicSet TableAtomicRmwXchg TableAtomicRmwCmpxchg;
        Plain:    StructAtomicGet StructAtomicGetS StructAtomicGetU StructAtomicSet StructAtomicRmwAdd
                  StructAtomicRmwSub StructAtomicRmwAnd StructAtomicRmwOr StructAtomicRmwXor StructAtomicRmwXchg
                  StructAtomicRmwCmpxchg;
        Plain:    ArrayAtomicGet ArrayAtomicGetS ArrayAtomicGetU ArrayAtomicSet ArrayAtomicRmwAdd ArrayAtomicRmwSub
                  ArrayAtomicRmwAnd ArrayAtomicRmwOr ArrayAtomicRmwXor ArrayAtomicRmwXchg ArrayAtomicRmwCmpxchg;
        Plain:    RefI31Shared;
    }
    custom_descriptors: unknown {
        BranchIf: BrOnCastDescEq BrOnCastDescEqFail;
        Plain:    StructNewDesc StructNewDefaultDesc RefGetDesc RefCastDescEqNonNull RefCastDescEqNullable;
    }
    memory_control: unknown {
        Bytes:    MemoryDiscard;
    }
    stack_switching: unknown {
        Call:     Suspend Resume ResumeThrow ResumeThrowRef Switch;
        Plain:    ContNew ContBind;
    }
}

/// An operator of wasmparser's list, without immediates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name in wasmparser's spelling.
    pub name: &'static str,
    /// Class of the operator.
    pub class: OperatorClass,
    /// Support for the operator.
    pub support: Support,
}

macro_rules! look_up {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* $(,)? })? => $visit:ident ($($arity:tt)*))*) => {
        /// All operators that wasmparser decodes, in its order, for tests that must cover all of them.
        pub const OPERATORS: &[Row] = &[$(Row {
            name: stringify!($op),
            class: rows::$proposal::$op,
            support: rows::$proposal::SUPPORT,
        },)*];

        impl OperatorClass {
            /// Returns the class of an operator.
            pub fn of(operator: &Operator<'_>) -> OperatorClass {
                match operator {
                    $(Operator::$op { .. } => rows::$proposal::$op,)*
                    // The enum is `non_exhaustive`, but the list above has all of its variants.
                    _ => unreachable!("wasmparser's list of operators has all of them"),
                }
            }
        }

        impl Support {
            /// Returns the support for an operator.
            pub fn of(operator: &Operator<'_>) -> Support {
                match operator {
                    $(Operator::$op { .. } => rows::$proposal::SUPPORT,)*
                    _ => unreachable!("wasmparser's list of operators has all of them"),
                }
            }
        }
    };
}
wasmparser::for_each_operator!(look_up);
