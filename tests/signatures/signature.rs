//! [`Signature`]: types of parameters and results.

use wasmr::{FuncType, ValType};

use crate::random::Random;

pub(crate) const TYPES: [(ValType, &str); 7] = [
    (ValType::I32, "i32"),
    (ValType::I64, "i64"),
    (ValType::F32, "f32"),
    (ValType::F64, "f64"),
    (ValType::V128, "v128"),
    (ValType::EXTERNREF, "externref"),
    (ValType::FUNCREF, "funcref"),
];

pub(crate) fn name(ty: ValType) -> &'static str {
    TYPES.iter().find(|(other, _)| *other == ty).unwrap().1
}

pub(crate) fn names(types: &[ValType], order: &[usize]) -> String {
    order.iter().map(|&at| name(types[at])).collect::<Vec<_>>().join(" ")
}

pub(crate) struct Signature {
    pub(crate) params: Vec<ValType>,
    pub(crate) results: Vec<ValType>,
}

impl Signature {
    pub(crate) fn random(random: &mut Random) -> Signature {
        let mut list = |most: usize| -> Vec<ValType> {
            let count = random.below(most + 1);
            match random.below(4) {
                // Enough values of one type to fill the registers for it.
                0 => vec![random.of(&TYPES).0; count],
                1 => (0..count).map(|_| random.of(&TYPES[..5]).0).collect(),
                _ => (0..count).map(|_| random.of(&TYPES).0).collect(),
            }
        };
        Signature { params: list(20), results: list(16) }
    }

    pub(crate) fn has_references(&self) -> bool {
        self.params.iter().chain(&self.results).any(|ty| matches!(ty, ValType::Ref(_)))
    }

    pub(crate) fn func_type(&self) -> FuncType {
        FuncType::new(self.params.clone(), self.results.clone())
    }
}
