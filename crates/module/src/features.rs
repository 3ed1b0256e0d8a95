//! The table of features: the proposals that decide which modules are valid.
//!
//! The command line or the embedder chooses features; wasmparser's decoder and validator follow them. The names are those of
//! wasmtime's `-W` option, so that one spelling works in both.
//!
//! By default all proposals are on that are part of WebAssembly 2.0 or
//! [3.0](https://webassembly.github.io/spec/core/appendix/changes.html), or in phase 4. Mutable globals, sign extension and saturating
//! conversions cannot be switched off. A module that uses a feature that is off is
//! [`Fault::Unsupported`](crate::Fault::Unsupported).

use wasmparser::WasmFeatures;

/// Expands the table, which has one row for each feature.
macro_rules! features {
    ($($variant:ident $name:literal ($($bit:ident)?) $standard:ident $default:ident [$($implies:ident)*] $help:literal $(, or $or:literal)?;)*) => {
        /// A proposal that can be switched on or off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Feature {
            $(#[doc = $help] $variant,)*
        }

        impl Feature {
            /// All features, in the order of the table.
            pub const ALL: &[Feature] = &[$(Feature::$variant),*];

            /// Returns the name on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Feature::$variant => $name,)* }
            }

            /// Returns one line of help.
            pub const fn help(self) -> &'static str {
                match self { $(Feature::$variant => $help,)* }
            }

            /// Returns the standing of the proposal.
            pub const fn standard(self) -> Standard {
                match self { $(Feature::$variant => Standard::$standard,)* }
            }

            /// Returns true if the feature is on by default.
            pub const fn on_by_default(self) -> bool {
                match self { $(Feature::$variant => features!(@default $default),)* }
            }

            /// Returns the features that this feature requires directly.
            pub const fn implies(self) -> &'static [Feature] {
                match self { $(Feature::$variant => &[$(Feature::$implies),*],)* }
            }

            /// Returns another way than switching the feature on, as advice in the imperative, if there is one.
            pub const fn alternative(self) -> Option<&'static str> {
                match self {
                    $($(Feature::$variant => Some($or),)?)*
                    _ => None,
                }
            }

            /// Returns the feature's flag in wasmparser. A feature without one changes how a valid module is executed or shown.
            pub(crate) const fn bits(self) -> WasmFeatures {
                match self { $(Feature::$variant => WasmFeatures::empty()$(.union(WasmFeatures::$bit))?,)* }
            }
        }
    };
    (@default on) => { true };
    (@default off) => { false };
}

/// The standing of a proposal in the [process of standardisation](https://github.com/WebAssembly/proposals).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// Part of WebAssembly 2.0.
    Wasm2,
    /// Part of WebAssembly 3.0.
    Wasm3,
    /// Phase 4: complete, and to become part of the next version.
    Phase4,
    /// Phase 3: being implemented, and may change.
    Phase3,
    /// Replaced by another proposal before it was finished.
    Retired,
}

impl Standard {
    /// Returns true if the proposal is part of a version of WebAssembly.
    pub const fn is_merged(self) -> bool {
        matches!(self, Standard::Wasm2 | Standard::Wasm3)
    }

    /// Returns true if the proposal will not change any more. Such proposals are on by default.
    pub const fn is_final(self) -> bool {
        self.is_merged() || matches!(self, Standard::Phase4)
    }
}

impl std::fmt::Display for Standard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Standard::Wasm2 => "WebAssembly 2.0",
            Standard::Wasm3 => "WebAssembly 3.0",
            Standard::Phase4 => "phase 4",
            Standard::Phase3 => "phase 3",
            Standard::Retired => "retired",
        })
    }
}

features! {
    BulkMemory         "bulk-memory"         (BULK_MEMORY)         Wasm2   on  []                   "memory.copy, memory.fill, passive segments";
    ReferenceTypes     "reference-types"     (REFERENCE_TYPES)     Wasm2   on  [BulkMemory]         "externref, funcref values, several tables";
    MultiValue         "multi-value"         (MULTI_VALUE)         Wasm2   on  []                   "functions and blocks with several results";
    Simd               "simd"                (SIMD)                Wasm2   on  []                   "128-bit vectors";
    RelaxedSimd        "relaxed-simd"        (RELAXED_SIMD)        Wasm3   on  [Simd]               "vector operators with implementation-defined edges";
    TailCall           "tail-call"           (TAIL_CALL)           Wasm3   on  []                   "return_call and return_call_indirect";
    ExtendedConst      "extended-const"      (EXTENDED_CONST)      Wasm3   on  []                   "add, sub and mul in constant expressions";
    MultiMemory        "multi-memory"        (MULTI_MEMORY)        Wasm3   on  []                   "several memories in a module";
    Memory64           "memory64"            (MEMORY64)            Wasm3   on  []                   "memories and tables with 64-bit indices";
    Exceptions         "exceptions"          (EXCEPTIONS)          Wasm3   on  [ReferenceTypes]     "tags, throw, try_table";
    FunctionReferences "function-references" (FUNCTION_REFERENCES) Wasm3   on  [ReferenceTypes]     "typed function references, call_ref";
    Gc                 "gc"                  (GC)                  Wasm3   on  [FunctionReferences] "structs, arrays, i31 references and casts";
    BranchHinting      "branch-hinting"      ()                    Wasm3   on  []                   "hints to the compiler about branches";
    LegacyExceptions   "legacy-exceptions"   (LEGACY_EXCEPTIONS)   Retired off [Exceptions]         "the retired draft of exceptions",
        or "convert the module with `wasm-opt --translate-to-exnref`";
    Threads            "threads"             (THREADS)             Phase4  on  []                   "atomic operators, shared memories";
    CustomPageSizes    "custom-page-sizes"   (CUSTOM_PAGE_SIZES)   Phase3  off []                   "memories with pages of one byte";
    WideArithmetic     "wide-arithmetic"     (WIDE_ARITHMETIC)     Phase4  on  []                   "integers of 128 bits";
    CompactImports     "compact-imports"     (COMPACT_IMPORTS)     Phase4  on  []                   "imports in groups";
}

/// A set of features. A set that contains a feature also contains the features that it requires, except where this crate
/// documents otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Features(u32);

impl Features {
    /// No features: WebAssembly 1.0 with the proposals that cannot be switched off.
    pub const NONE: Features = Features(0);

    /// Returns true if a feature is on.
    pub const fn contains(&self, feature: Feature) -> bool {
        self.0 & (1 << feature as u32) != 0
    }

    /// Switches a feature on with all features that it requires, or off with all features that require it.
    pub fn set(&mut self, feature: Feature, on: bool) {
        if on {
            self.0 |= 1 << feature as u32;
            for &needed in feature.implies() {
                self.set(needed, true);
            }
        } else {
            self.0 &= !(1 << feature as u32);
            for &other in Feature::ALL {
                if self.contains(other) && other.implies().contains(&feature) {
                    self.set(other, false);
                }
            }
        }
    }

    /// Returns the set with a feature switched on or off like [`Features::set`].
    #[must_use]
    pub fn with(mut self, feature: Feature, on: bool) -> Features {
        self.set(feature, on);
        self
    }

    /// Returns the set with one feature switched on or off and all others unchanged. The result may contain a feature without
    /// the features that it requires.
    pub(crate) fn with_alone(self, feature: Feature, on: bool) -> Features {
        let bit = 1 << feature as u32;
        Features(if on { self.0 | bit } else { self.0 & !bit })
    }

    /// Returns the set as a number.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// Returns the set of all features.
    pub fn all() -> Features {
        Feature::ALL.iter().fold(Features::NONE, |set, &feature| set.with(feature, true))
    }

    /// Returns the features that are on, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = Feature> + use<> {
        let set = *self;
        Feature::ALL.iter().copied().filter(move |&feature| set.contains(feature))
    }

    /// Returns the set as flags of wasmparser.
    pub fn to_wasmparser(&self) -> WasmFeatures {
        let always = WasmFeatures::WASM1 | WasmFeatures::SIGN_EXTENSION | WasmFeatures::SATURATING_FLOAT_TO_INT;
        self.iter().fold(always, |bits, feature| bits | feature.bits())
    }
}

impl Default for Features {
    fn default() -> Features {
        let on = Feature::ALL.iter().filter(|feature| feature.on_by_default());
        on.fold(Features::NONE, |set, &feature| set.with(feature, true))
    }
}

impl std::fmt::Debug for Features {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(Feature::name)).finish()
    }
}

impl std::str::FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(name: &str) -> Result<Feature, UnknownFeature> {
        let found = Feature::ALL.iter().copied().find(|feature| feature.name() == name);
        found.ok_or_else(|| UnknownFeature(name.to_owned()))
    }
}

/// A name that no feature has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown feature `{0}`")]
pub struct UnknownFeature(pub String);

/// Parts of the sentences of wasmparser's errors that are caused by the absence of a feature but do not name it.
const UNNAMED: [(&str, Feature); 6] = [
    ("gc proposal must be enabled", Feature::Gc),
    ("gc proposal not supported", Feature::Gc),
    ("the GC proposal is disabled", Feature::Gc),
    ("multiple memories", Feature::MultiMemory),
    ("multiple tables", Feature::ReferenceTypes),
    ("requires the bulk-memory proposal", Feature::BulkMemory),
];

/// Returns the feature whose absence caused an error of wasmparser, if the table has it.
pub(crate) fn missing(error: &wasmparser::Error) -> Option<Feature> {
    let Some(bits) = error.missing_wasm_feature() else {
        let (_, feature) = UNNAMED.iter().find(|(part, _)| error.message().contains(part))?;
        return Some(*feature);
    };
    Feature::ALL.iter().copied().find(|feature| !bits.is_empty() && feature.bits().contains(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_proposals_are_on_by_default() {
        assert!(Feature::ALL.iter().all(|feature| feature.on_by_default() == feature.standard().is_final()));
        // wasmparser's constant includes `threads`, which is not part of Wasm 3.0.
        let expected = WasmFeatures::WASM3.union(WasmFeatures::THREADS).union(WasmFeatures::WIDE_ARITHMETIC);
        let expected = expected.union(WasmFeatures::COMPACT_IMPORTS);
        assert_eq!(Features::default().to_wasmparser(), expected);
    }

    #[test]
    fn names_round_trip() {
        for &feature in Feature::ALL {
            assert_eq!(feature.name().parse(), Ok(feature));
            assert!(!feature.help().is_empty());
        }
        assert_eq!("simd128".parse::<Feature>(), Err(UnknownFeature("simd128".into())));
    }

    #[test]
    fn implications_hold_both_ways() {
        let set = Features::NONE.with(Feature::Gc, true);
        for feature in [Feature::FunctionReferences, Feature::ReferenceTypes, Feature::BulkMemory] {
            assert!(set.contains(feature), "gc needs {feature:?}");
        }
        assert!(!set.contains(Feature::Simd));
        let set = Features::all().with(Feature::ReferenceTypes, false);
        for feature in [Feature::FunctionReferences, Feature::Gc, Feature::Exceptions, Feature::LegacyExceptions] {
            assert!(!set.contains(feature), "{feature:?} needs reference-types");
        }
        assert!(set.contains(Feature::BulkMemory));
        for &feature in Feature::ALL {
            let closed = Features::NONE.with(feature, true);
            assert!(feature.implies().iter().all(|&needed| closed.contains(needed)));
        }
    }
}
