//! Values, ends of calls and host functions, common to all engines under test.

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `v128`
    V128,
    /// `funcref`
    Func,
    /// `externref`
    Extern,
    /// A reference type that only some engines have. Its arguments are null.
    Other,
}

/// A value, with floats as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `i32`
    I32(u32),
    /// `i64`
    I64(u64),
    /// `f32`
    F32(u32),
    /// `f64`
    F64(u64),
    /// `v128`
    V128(u128),
    /// `funcref`: the name of an export in an argument, and only nullness elsewhere.
    Func(Option<String>),
    /// `externref`: the host's number.
    Extern(Option<u32>),
    /// Null of another type.
    Null,
    /// A reference to objects, by the description of [`crate::objects::walk`].
    Object(Vec<u64>),
}

/// The end of a call without results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A trap, by a name common to the engines.
    Trap(&'static str),
    /// A stop by the host function.
    Host,
    /// An exception that the guest did not catch.
    Exception,
    /// A limit of the engine, which is no verdict about the program.
    Limit(String),
}

/// A call's results, or its end.
pub type Outcome = Result<Vec<Value>, End>;

/// The host's record of the guest: a digest of every call, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Digest of each call.
    pub calls: Vec<u64>,
    /// Outcomes of calls back into the guest.
    pub results: Vec<Vec<Value>>,
    /// Names of the functions that may be called back.
    pub functions: Vec<String>,
    /// Number of active calls back into the guest.
    depth: u32,
}

/// The host function that calls back into the guest.
pub const AGAIN: &str = "again";

/// Maximum nesting of host and guest.
const MAX_DEPTH: u32 = 6;

impl Type {
    /// Returns true if the type is not a reference type.
    pub fn is_number(self) -> bool {
        !matches!(self, Type::Func | Type::Extern | Type::Other)
    }
}

impl Host {
    /// Returns the export that [`AGAIN`] calls and the seed of its arguments, or `None` if host and guest are nested too
    /// deeply.
    pub fn enter(&mut self, args: &[Value]) -> Option<(String, u64)> {
        let [Value::I32(which), Value::I64(seed), ..] = *args else { return None };
        if self.depth == MAX_DEPTH || self.functions.is_empty() {
            return None;
        }
        self.depth += 1;
        let export = self.functions[which as usize % self.functions.len()].clone();
        Some((export, seed))
    }

    /// Ends the call that [`enter`](Host::enter) started.
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Records the outcome of a call back.
    pub fn got(&mut self, results: Vec<Value>) {
        self.results.push(results);
    }

    /// Executes the host function `name`. Records the call and returns results that depend on all arguments, or `None`, which
    /// ends the guest. Reference results are null; the caller replaces them.
    pub fn call(&mut self, name: &str, args: &[Value], results: &[Type]) -> Option<Vec<Value>> {
        let mut digest = Random::new(name.len() as u64 + ((self.calls.len() as u64) << 8));
        for arg in args {
            let bits = match *arg {
                Value::I32(bits) | Value::F32(bits) => bits.into(),
                Value::I64(bits) | Value::F64(bits) => bits,
                Value::V128(bits) => bits as u64 ^ (bits >> 64) as u64,
                Value::Func(ref func) => func.is_some().into(),
                Value::Extern(number) => number.map_or(u64::MAX, u64::from),
                Value::Null => 1,
                Value::Object(ref shape) => shape.iter().fold(0, |digest, &word| Random::new(digest ^ word).next()),
            };
            digest = Random::new(digest.next() ^ bits);
        }
        self.calls.push(digest.next());
        if digest.next().is_multiple_of(64) {
            return None;
        }
        Some(results.iter().map(|&ty| digest.value(ty, &[])).map(without_reference).collect())
    }
}

fn without_reference(value: Value) -> Value {
    match value {
        Value::Func(_) => Value::Func(None),
        Value::Extern(_) => Value::Extern(None),
        other => other,
    }
}

/// Pseudo-random numbers that depend on a seed only.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Creates the sequence of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Returns the next number of [SplitMix64](https://doi.org/10.1145/2660193.2660195).
    #[expect(clippy::should_implement_trait, reason = "it has no end, so an iterator would only add an Option")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a small, large, special or arbitrary number.
    fn bits(&mut self) -> u64 {
        const SPECIAL: [u64; 16] = [
            0,
            1,
            u64::MAX,
            i64::MIN as u64,
            i64::MAX as u64,
            i32::MIN as u32 as u64,
            i32::MAX as u64,
            u32::MAX as u64,
            65_535,
            65_536,
            0x3f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0x3ff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0xfff0_0000_0000_0000,
        ];
        match self.next() % 4 {
            0 => self.next() % 64,
            1 => SPECIAL[(self.next() % 16) as usize],
            2 => SPECIAL[(self.next() % 16) as usize].wrapping_sub(self.next() % 3),
            _ => self.next(),
        }
    }

    /// Returns a value of a type. A function is one of `functions`.
    pub fn value(&mut self, ty: Type, functions: &[String]) -> Value {
        match ty {
            Type::I32 => Value::I32(self.bits() as u32),
            Type::I64 => Value::I64(self.bits()),
            Type::F32 => Value::F32(self.bits() as u32),
            Type::F64 => Value::F64(self.bits()),
            Type::V128 => Value::V128(u128::from(self.bits()) | u128::from(self.bits()) << 64),
            Type::Func => {
                let index = self.next() as usize % (functions.len() + 1);
                Value::Func(functions.get(index).cloned())
            }
            Type::Extern => Value::Extern((!self.next().is_multiple_of(4)).then(|| self.bits() as u32)),
            Type::Other => Value::Null,
        }
    }
}
