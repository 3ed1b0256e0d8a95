//! Macros that define Rust types for records, variants, enums and flags: [`record!`](crate::record), [`variant!`](crate::variant),
//! [`enumeration!`](crate::enumeration), [`flags!`](crate::flags).
//!
//! Each row has the name in WIT beside the name in Rust. The functions in [`private`] are for the expansions alone.

/// Defines a struct for a record: `struct Name "name" { field "field": Type, }`.
///
/// # Examples
/// ```
/// wasmr::component::record! {
///     /// A point.
///     #[derive(Clone, Copy, Debug, PartialEq)]
///     pub struct Point "point" {
///         /// To the right.
///         pub x "x": f32,
///         /// Up.
///         pub y "y": f32,
///     }
/// }
/// ```
#[macro_export]
macro_rules! record {
    ($(#[$attribute:meta])* $vis:vis struct $name:ident $wit:literal {
        $($(#[$field_attribute:meta])* $field_vis:vis $field:ident $field_wit:literal: $ty:ty,)+
    }) => {
        $(#[$attribute])*
        $vis struct $name {
            $($(#[$field_attribute])* $field_vis $field: $ty,)+
        }

        $crate::component_type!(
            $name $wit,
            $crate::Abi::empty()$(.then(<$ty as $crate::ComponentType>::ABI))+.end(),
            $crate::private::check_record,
            &[$(($field_wit, ::std::option::Option::Some(<$ty as $crate::ComponentType>::check)),)+]
        );

        impl $crate::Lower for $name {
            fn lower_flat(
                &self,
                cx: &mut $crate::LowerCx<'_>,
                ty: $crate::private::TypeId,
                dst: &mut $crate::FlatOut<'_>,
            ) -> ::std::result::Result<(), $crate::AbiError> {
                let index = 0;
                $(
                    let part = $crate::private::Part { ty, index, name: $field_wit };
                    $crate::private::lower_part::<$ty>(&self.$field, cx, part, dst)?;
                    let index = index + 1;
                )+
                let _ = index;
                ::std::result::Result::Ok(())
            }

            fn store(
                &self,
                cx: &mut $crate::LowerCx<'_>,
                ty: $crate::private::TypeId,
                at: usize,
            ) -> ::std::result::Result<(), $crate::AbiError> {
                let (index, abi) = (0, $crate::Abi::empty());
                $(
                    let part = $crate::private::Part { ty, index, name: $field_wit };
                    let place = at + abi.offset(<$ty as $crate::ComponentType>::ABI) as usize;
                    $crate::private::store_part::<$ty>(&self.$field, cx, part, place)?;
                    let (index, abi) = (index + 1, abi.then(<$ty as $crate::ComponentType>::ABI));
                )+
                let _ = (index, abi);
                ::std::result::Result::Ok(())
            }
        }

        impl $crate::Lift for $name {
            fn lift_flat(
                cx: &mut $crate::LiftCx<'_>,
                ty: $crate::private::TypeId,
                src: &mut $crate::FlatIn<'_>,
            ) -> ::std::result::Result<Self, $crate::AbiError> {
                let index = 0;
                $(
                    let part = $crate::private::Part { ty, index, name: $field_wit };
                    let $field = $crate::private::lift_part::<$ty>(cx, part, src)?;
                    let index = index + 1;
                )+
                let _ = index;
                ::std::result::Result::Ok($name { $($field,)+ })
            }

            fn load(
                cx: &mut $crate::LiftCx<'_>,
                ty: $crate::private::TypeId,
                at: usize,
            ) -> ::std::result::Result<Self, $crate::AbiError> {
                let (index, abi) = (0, $crate::Abi::empty());
                $(
                    let part = $crate::private::Part { ty, index, name: $field_wit };
                    let place = at + abi.offset(<$ty as $crate::ComponentType>::ABI) as usize;
                    let $field = $crate::private::load_part::<$ty>(cx, part, place)?;
                    let (index, abi) = (index + 1, abi.then(<$ty as $crate::ComponentType>::ABI));
                )+
                let _ = (index, abi);
                ::std::result::Result::Ok($name { $($field,)+ })
            }
        }
    };
}

/// Defines an enum for a variant: `enum Name "name" { Case "case", Other(Type) "other", }`.
///
/// # Examples
/// ```
/// wasmr::component::variant! {
///     /// A shape.
///     #[derive(Clone, Copy, Debug, PartialEq)]
///     pub enum Shape "shape" {
///         /// All points.
///         Plane "plane",
///         /// The points at a distance.
///         Circle(f32) "circle",
///     }
/// }
/// ```
#[macro_export]
macro_rules! variant {
    ($(#[$attribute:meta])* $vis:vis enum $name:ident $wit:literal {
        $($(#[$case_attribute:meta])* $case:ident $(($ty:ty))? $case_wit:literal,)+
    }) => {
        $(#[$attribute])*
        $vis enum $name {
            $($(#[$case_attribute])* $case $(($ty))?,)+
        }

        const _: () = {
            /// The discriminants.
            enum Index {
                $($case,)+
            }

            const CASES: &[$crate::private::Row] = &[$(($case_wit, $crate::variant!(@check $($ty)?)),)+];

            /// Representation of the largest payload.
            const PAYLOAD: $crate::Abi = $crate::Abi::empty()$($(.or(<$ty as $crate::ComponentType>::ABI))?)+;

            $crate::component_type!(
                $name $wit,
                PAYLOAD.variant(CASES.len()),
                $crate::private::check_variant,
                CASES
            );

            impl $crate::Lower for $name {
                fn lower_flat(
                    &self,
                    cx: &mut $crate::LowerCx<'_>,
                    ty: $crate::private::TypeId,
                    dst: &mut $crate::FlatOut<'_>,
                ) -> ::std::result::Result<(), $crate::AbiError> {
                    let end = $crate::private::position(dst) + <Self as $crate::ComponentType>::ABI.flat;
                    match self {
                        $($name::$case $(($crate::variant!(@bind payload $ty)))? => {
                            let index = Index::$case as u32;
                            $crate::private::push(dst, index);
                            $(
                                let part = $crate::private::Part { ty, index, name: $case_wit };
                                $crate::private::lower_part::<$ty>($crate::variant!(@bind payload $ty), cx, part, dst)?;
                            )?
                        })+
                    }
                    $crate::private::pad(dst, end);
                    ::std::result::Result::Ok(())
                }

                fn store(
                    &self,
                    cx: &mut $crate::LowerCx<'_>,
                    ty: $crate::private::TypeId,
                    at: usize,
                ) -> ::std::result::Result<(), $crate::AbiError> {
                    match self {
                        $($name::$case $(($crate::variant!(@bind payload $ty)))? => {
                            let index = Index::$case as u32;
                            $crate::private::write(cx, at, $crate::private::discriminant_size(CASES.len()), index);
                            $(
                                let part = $crate::private::Part { ty, index, name: $case_wit };
                                let place = at + PAYLOAD.payload(CASES.len()) as usize;
                                $crate::private::store_part::<$ty>($crate::variant!(@bind payload $ty), cx, part, place)?;
                            )?
                        })+
                    }
                    ::std::result::Result::Ok(())
                }
            }

            impl $crate::Lift for $name {
                fn lift_flat(
                    cx: &mut $crate::LiftCx<'_>,
                    ty: $crate::private::TypeId,
                    src: &mut $crate::FlatIn<'_>,
                ) -> ::std::result::Result<Self, $crate::AbiError> {
                    let _ = (&cx, ty);
                    $crate::private::lift_case(src, <Self as $crate::ComponentType>::ABI.flat, |index, src| {
                        $(if index == Index::$case as u32 {
                            return ::std::result::Result::Ok($name::$case $(({
                                let part = $crate::private::Part { ty, index, name: $case_wit };
                                $crate::private::lift_part::<$ty>(cx, part, src)?
                            }))?);
                        })+
                        let _ = src;
                        ::std::result::Result::Err($crate::private::bad_case(index, CASES.len(), $wit))
                    })
                }

                fn load(
                    cx: &mut $crate::LiftCx<'_>,
                    ty: $crate::private::TypeId,
                    at: usize,
                ) -> ::std::result::Result<Self, $crate::AbiError> {
                    let _ = ty;
                    let index = $crate::private::read(cx, at, $crate::private::discriminant_size(CASES.len()));
                    $(if index == Index::$case as u32 {
                        return ::std::result::Result::Ok($name::$case $(({
                            let part = $crate::private::Part { ty, index, name: $case_wit };
                            $crate::private::load_part::<$ty>(cx, part, at + PAYLOAD.payload(CASES.len()) as usize)?
                        }))?);
                    })+
                    ::std::result::Result::Err($crate::private::bad_case(index, CASES.len(), $wit))
                }
            }
        };
    };
    (@check) => { ::std::option::Option::None };
    (@check $ty:ty) => { ::std::option::Option::Some(<$ty as $crate::ComponentType>::check) };
    (@bind $name:ident $ty:ty) => { $name };
}

/// Defines an enum for an `enum`: `enum Name "name" { Case "case", }`. It is `Copy`, and compares.
///
/// # Examples
/// ```
/// wasmr::component::enumeration! {
///     /// A direction.
///     pub enum Direction "direction" {
///         /// Ahead.
///         Forward "forward",
///         /// Back.
///         Backward "backward",
///     }
/// }
/// assert_eq!(Direction::ALL, [Direction::Forward, Direction::Backward]);
/// assert_eq!(Direction::Forward.name(), "forward");
/// ```
#[macro_export]
macro_rules! enumeration {
    ($(#[$attribute:meta])* $vis:vis enum $name:ident $wit:literal {
        $($(#[$case_attribute:meta])* $case:ident $case_wit:literal,)+
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[$case_attribute])* $case,)+
        }

        impl $name {
            /// All cases, in the order of the interface.
            $vis const ALL: &'static [$name] = &[$($name::$case,)+];

            const NAMES: &'static [&'static str] = &[$($case_wit,)+];

            /// Returns the name in WIT.
            $vis const fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }

            fn at(index: u32) -> ::std::result::Result<Self, $crate::AbiError> {
                let case = Self::ALL.get(index as usize).copied();
                case.ok_or_else(|| $crate::private::bad_case(index, Self::ALL.len(), $wit))
            }
        }

        $crate::component_type!(
            $name $wit,
            $crate::Abi::scalar($crate::private::discriminant_size(Self::ALL.len())),
            $crate::private::check_enum,
            Self::NAMES
        );

        $crate::scalar_like!($name, |value| *value as u32, |bits| $name::at(bits));
    };
}

/// Defines a struct for `flags`: `struct Name "name" { FLAG "flag", }`, up to 32 of them.
///
/// # Examples
/// ```
/// wasmr::component::flags! {
///     /// Rights.
///     pub struct Rights "rights" {
///         /// To read.
///         READ "read",
///         /// To write.
///         WRITE "write",
///     }
/// }
/// let both = Rights::READ | Rights::WRITE;
/// assert!(both.contains(Rights::WRITE) && !Rights::empty().contains(Rights::READ));
/// ```
#[macro_export]
macro_rules! flags {
    ($(#[$attribute:meta])* $vis:vis struct $name:ident $wit:literal {
        $($(#[$flag_attribute:meta])* $flag:ident $flag_wit:literal,)+
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        $vis struct $name(u32);

        const _: () = {
            /// The bits.
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Bit {
                $($flag,)+
            }

            const NAMES: &[&str] = &[$($flag_wit,)+];

            impl $name {
                $($(#[$flag_attribute])* $vis const $flag: $name = $name(1 << Bit::$flag as u32);)+

                /// Returns no flags.
                $vis const fn empty() -> $name {
                    $name(0)
                }

                /// Returns true if all flags of `other` are set.
                $vis const fn contains(self, other: $name) -> bool {
                    self.0 & other.0 == other.0
                }
            }

            impl ::std::ops::BitOr for $name {
                type Output = $name;

                fn bitor(self, other: $name) -> $name {
                    $name(self.0 | other.0)
                }
            }

            $crate::component_type!(
                $name $wit,
                $crate::Abi::scalar($crate::private::flags_size(NAMES.len())),
                $crate::private::check_flags,
                NAMES
            );

            // Bits of no flag are ignored.
            $crate::scalar_like!($name, |value| value.0, |bits| {
                ::std::result::Result::Ok($name(bits & $crate::private::flags_mask(NAMES.len())))
            });
        };
    };
}

/// Implements [`ComponentType`](crate::ComponentType) for a type with a name in WIT. `$check` compares its rows with a component's type.
#[doc(hidden)]
#[macro_export]
macro_rules! component_type {
    ($name:ident $wit:literal, $abi:expr, $check:path, $rows:expr) => {
        impl $crate::ComponentType for $name {
            const ABI: $crate::Abi = $abi;

            fn check(
                interface: &$crate::Interface<'_>,
                ty: $crate::private::TypeId,
            ) -> ::std::result::Result<(), ::std::string::String> {
                $check(interface, ty, $wit, $rows)
            }

            fn wit() -> ::std::string::String {
                ::std::string::String::from($wit)
            }
        }
    };
}

/// Implements [`Lift`](crate::Lift) and [`Lower`](crate::Lower) for a type that is one core value of 32 bits.
#[doc(hidden)]
#[macro_export]
macro_rules! scalar_like {
    ($name:ident, |$value:ident| $bits:expr, |$word:ident| $of:expr) => {
        impl $crate::Lower for $name {
            fn lower_flat(
                &self,
                _: &mut $crate::LowerCx<'_>,
                _: $crate::private::TypeId,
                dst: &mut $crate::FlatOut<'_>,
            ) -> ::std::result::Result<(), $crate::AbiError> {
                let $value = self;
                $crate::private::push(dst, $bits);
                ::std::result::Result::Ok(())
            }

            fn store(
                &self,
                cx: &mut $crate::LowerCx<'_>,
                _: $crate::private::TypeId,
                at: usize,
            ) -> ::std::result::Result<(), $crate::AbiError> {
                let $value = self;
                $crate::private::write(cx, at, <Self as $crate::ComponentType>::ABI.size, $bits);
                ::std::result::Result::Ok(())
            }
        }

        impl $crate::Lift for $name {
            fn lift_flat(
                _: &mut $crate::LiftCx<'_>,
                _: $crate::private::TypeId,
                src: &mut $crate::FlatIn<'_>,
            ) -> ::std::result::Result<Self, $crate::AbiError> {
                let $word = $crate::private::next(src);
                $of
            }

            fn load(
                cx: &mut $crate::LiftCx<'_>,
                _: $crate::private::TypeId,
                at: usize,
            ) -> ::std::result::Result<Self, $crate::AbiError> {
                let $word = $crate::private::read(cx, at, <Self as $crate::ComponentType>::ABI.size);
                $of
            }
        }
    };
}
