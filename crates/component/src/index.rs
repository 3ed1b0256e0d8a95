//! Indices into the tables of a [`Component`](crate::Component), each a type of its own.

/// Defines index types: a documented name each.
macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// Returns the position in the table.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

indices! {
    /// A value type, in [`Types`](crate::Types).
    TypeId;
    /// A function type, in [`Types`](crate::Types).
    FuncTypeId;
    /// A resource type, in [`Component::resources`](crate::Component::resources). Each instantiation of a component that defines a
    /// resource type has a type of its own.
    ResourceId;
    /// A component instance: plugs and what is nested in them come first, then the component itself, then each instantiation of a
    /// nested component. A handle table and flags belong to it.
    InstanceId;
    /// A core instance, numbered in the order of the [`Step::Instantiate`](crate::Step)s.
    CoreInstanceId;
    /// A core module, in [`Component::modules`](crate::Component::modules).
    ModuleId;
    /// Canonical options, in [`Component::options`](crate::Component::options).
    OptionsId;
    /// A lifted core function, in [`Component::lifts`](crate::Component::lifts).
    LiftId;
    /// A lowered component function, in [`Component::lowerings`](crate::Component::lowerings).
    LoweringId;
    /// A canonical builtin, in [`Component::builtins`](crate::Component::builtins).
    BuiltinId;
    /// An item of the host, in [`Component::import_paths`](crate::Component::import_paths).
    ImportPathId;
}
