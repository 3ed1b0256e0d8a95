//! Values, ends of calls and host functions as every engine under test has to see them.

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
    /// What only some engines have; its values are compared by whether they are null.
    Other,
}

/// A value. Floats are bits.
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
    /// `funcref`: as an argument the name of an export, otherwise only whether it is null.
    Func(Option<String>),
    /// `externref`: the host's number.
    Extern(Option<u32>),
    /// Another reference: whether it is null.
    Other(bool),
}

/// How a call ended that gave no results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A trap, by a name that the engines share.
    Trap(&'static str),
    /// The host function ended it.
    Host,
    /// An exception left the guest.
    Exception,
    /// The engine's own limits were reached: says nothing about the program.
    Limit(String),
}

/// A call's results, or its end.
pub type Outcome = Result<Vec<Value>, End>;

/// What the host saw of the guest: a digest of every call, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// One number for each call.
    pub calls: Vec<u64>,
    /// What calls back into the guest gave.
    pub results: Vec<Vec<Value>>,
    /// The names of the functions that may be called back.
    pub functions: Vec<String>,
    /// Calls back that are active.
    depth: u32,
}

/// The host function that calls back into the guest.
pub const AGAIN: &str = "again";

/// How deeply host and guest may be nested.
const MAX_DEPTH: u32 = 6;

impl Type {
    /// Whether it is not a reference.
    pub fn is_number(self) -> bool {
        !matches!(self, Type::Func | Type::Extern | Type::Other)
    }
}

impl Host {
    /// Which export [`AGAIN`] calls, with arguments from which seed; `None` if it is nested too deeply.
    pub fn enter(&mut self, args: &[Value]) -> Option<(String, u64)> {
        let [Value::I32(which), Value::I64(seed), ..] = *args else { return None };
        if self.depth == MAX_DEPTH || self.functions.is_empty() {
            return None;
        }
        self.depth += 1;
        let export = self.functions[which as usize % self.functions.len()].clone();
        Some((export, seed))
    }

    /// Ends what [`enter`](Host::enter) began.
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Notes what a call back gave.
    pub fn got(&mut self, results: Vec<Value>) {
        self.results.push(results);
    }

    /// What the host function `name` does: notes the call and gives results that depend on all of its arguments, or
    /// nothing, which ends the guest. References are up to the caller, who gets null here.
    pub fn call(&mut self, name: &str, args: &[Value], results: &[Type]) -> Option<Vec<Value>> {
        let mut digest = Random::new(name.len() as u64 + ((self.calls.len() as u64) << 8));
        for arg in args {
            let bits = match *arg {
                Value::I32(bits) | Value::F32(bits) => bits.into(),
                Value::I64(bits) | Value::F64(bits) => bits,
                Value::V128(bits) => bits as u64 ^ (bits >> 64) as u64,
                Value::Func(ref func) => func.is_some().into(),
                Value::Extern(number) => number.map_or(u64::MAX, u64::from),
                Value::Other(null) => null.into(),
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

/// Numbers that look random and depend on a seed only.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number, by SplitMix64.
    #[expect(clippy::should_implement_trait, reason = "it has no end, so an iterator would only add an Option")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Small, large, special or any.
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

    /// A value of a type; a function is one of `functions`.
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
            Type::Other => Value::Other(true),
        }
    }
}
