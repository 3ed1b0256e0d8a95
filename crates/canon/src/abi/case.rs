//! [`Case`]: a case of a variant, an option or a result.

use wasmr_component::{TypeDef, TypeId};

use crate::abi::scalar::bad_discriminant;
use crate::error::{AbiError, Result};
use crate::value::Val;

/// A case of a type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'t> {
    /// Discriminant.
    pub(crate) index: u32,
    pub(crate) name: &'t str,
    /// Type of its payload, if it has one.
    pub(crate) payload: Option<TypeId>,
}

impl<'t> Case<'t> {
    /// Returns the case with a discriminant.
    #[inline]
    pub(crate) fn at(def: &'t TypeDef, index: u32) -> Result<Case<'t>> {
        let (name, payload) = match (def, index) {
            (TypeDef::Variant(cases), _) => match cases.get(index as usize) {
                Some(case) => (&*case.name, case.ty),
                None => return Err(bad_discriminant(index, cases.len(), "a variant")),
            },
            (TypeDef::Option(_), 0) => ("none", None),
            (TypeDef::Option(some), 1) => ("some", Some(*some)),
            (TypeDef::Result { ok, .. }, 0) => ("ok", *ok),
            (TypeDef::Result { err, .. }, 1) => ("error", *err),
            (TypeDef::Option(_), _) => return Err(bad_discriminant(index, 2, "an option")),
            _ => return Err(bad_discriminant(index, 2, "a result")),
        };
        Ok(Case { index, name, payload })
    }

    /// Returns the case of a value and its payload; `None` if the value is of another kind of type.
    pub(crate) fn of<'v>(def: &'t TypeDef, value: &'v Val) -> Result<Option<(Case<'t>, Option<&'v Val>)>> {
        let (case, payload) = match (def, value) {
            (TypeDef::Variant(cases), Val::Variant(name, payload)) => {
                let index = cases.iter().position(|case| *case.name == **name);
                let index = index.ok_or_else(|| AbiError::host(format!("the variant has no case `{name}`")))?;
                (Case::at(def, index as u32)?, payload.as_deref())
            }
            (TypeDef::Option(_), Val::Option(some)) => (Case::at(def, some.is_some().into())?, some.as_deref()),
            (TypeDef::Result { .. }, Val::Result(Ok(value))) => (Case::at(def, 0)?, value.as_deref()),
            (TypeDef::Result { .. }, Val::Result(Err(value))) => (Case::at(def, 1)?, value.as_deref()),
            _ => return Ok(None),
        };
        if case.payload.is_some() != payload.is_some() {
            let has = if payload.is_some() { "has no value" } else { "needs a value" };
            return Err(AbiError::host(format!("the case `{}` {has}", case.name)));
        }
        Ok(Some((case, payload)))
    }

    /// Returns the value of this case of a type.
    pub(crate) fn into_val(self, def: &TypeDef, payload: Option<Box<Val>>) -> Val {
        match def {
            TypeDef::Option(_) => Val::Option(payload),
            TypeDef::Result { .. } if self.index == 0 => Val::Result(Ok(payload)),
            TypeDef::Result { .. } => Val::Result(Err(payload)),
            _ => Val::Variant(self.name.to_owned(), payload),
        }
    }
}
