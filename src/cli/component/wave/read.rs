//! Makes values of text, led by their types.

use wasmr::component::Val;
use wasmr_component::{Case, Field, TypeDef, TypeId, Types};

use super::text::{Fault, Scanner};

/// Returns the value that a whole text stands for.
pub(in super::super) fn value(types: &Types, ty: TypeId, text: &str) -> Result<Val, Fault> {
    let mut reader = Reader { types, text: Scanner::new(text) };
    let value = reader.value(ty)?;
    match reader.text.peek() {
        None => Ok(value),
        Some(_) => Err(reader.text.unexpected("nothing more")),
    }
}

/// Returns the arguments that a text in parentheses stands for. A fault comes with the index of its argument, which is the number of
/// parameters for an argument too many, or with `None` if it is in no argument.
pub(in super::super) fn arguments(
    types: &Types,
    params: &[Field],
    text: &str,
) -> Result<Vec<Val>, (Option<usize>, Fault)> {
    let mut reader = Reader { types, text: Scanner::new(text) };
    let mut values = Vec::with_capacity(params.len());
    let mut current = None;
    let read = reader.text.expect('(', "").and_then(|()| {
        reader.items(')', |reader, index| {
            current = Some(index);
            let param = params.get(index).ok_or_else(|| reader.text.fault("there is no such parameter"))?;
            values.push(reader.value(param.ty)?);
            current = None;
            Ok(())
        })
    });
    read.map_err(|fault| (current, fault))?;
    match reader.text.peek() {
        None => Ok(values),
        Some(_) => Err((None, reader.text.unexpected("nothing after the arguments"))),
    }
}

struct Reader<'t> {
    types: &'t Types,
    text: Scanner<'t>,
}

impl<'t> Reader<'t> {
    fn value(&mut self, ty: TypeId) -> Result<Val, Fault> {
        let types = self.types;
        Ok(match types.def(ty) {
            TypeDef::Bool => match self.choice("`true` or `false`")? {
                "true" => Val::Bool(true),
                "false" => Val::Bool(false),
                word => return Err(self.no_word(word, "`true` or `false`")),
            },
            TypeDef::S8 => Val::S8(self.integer("s8")?),
            TypeDef::U8 => Val::U8(self.integer("u8")?),
            TypeDef::S16 => Val::S16(self.integer("s16")?),
            TypeDef::U16 => Val::U16(self.integer("u16")?),
            TypeDef::S32 => Val::S32(self.integer("s32")?),
            TypeDef::U32 => Val::U32(self.integer("u32")?),
            TypeDef::S64 => Val::S64(self.integer("s64")?),
            TypeDef::U64 => Val::U64(self.integer("u64")?),
            TypeDef::F32 => {
                let (word, at) = self.float_word()?;
                let number = word.parse::<f32>().ok().filter(|number| fits(number.is_finite(), word));
                Val::F32(number.ok_or_else(|| self.no_float(word, at))?)
            }
            TypeDef::F64 => {
                let (word, at) = self.float_word()?;
                let number = word.parse::<f64>().ok().filter(|number| fits(number.is_finite(), word));
                Val::F64(number.ok_or_else(|| self.no_float(word, at))?)
            }
            TypeDef::Char => Val::Char(self.text.quoted_char()?),
            TypeDef::String => Val::String(self.text.quoted_string()?),
            TypeDef::List(element) => Val::from(self.list(*element)?),
            TypeDef::FixedList(element, len) => {
                let values = self.list(*element)?;
                if values.len() != *len as usize {
                    return Err(self.text.fault(format!("expected {len} elements, found {}", values.len())));
                }
                Val::from(values)
            }
            TypeDef::Map(key, value) => self.map(*key, *value)?,
            TypeDef::Record(fields) => self.record(fields)?,
            TypeDef::Tuple(all) => self.tuple(all)?,
            TypeDef::Variant(cases) => self.variant(cases)?,
            TypeDef::Enum(names) => {
                let wanted = || one_of(names.iter().map(|name| &**name));
                let word = self.choice(&wanted())?;
                let label = word.trim_start_matches('%');
                let found = names.iter().find(|name| ***name == *label);
                Val::Enum(found.ok_or_else(|| self.no_word(word, &wanted()))?.to_string())
            }
            TypeDef::Flags(names) => self.flags(names)?,
            TypeDef::Option(some) => self.option(*some)?,
            TypeDef::Result { ok, err } => self.result(*ok, *err)?,
            TypeDef::Own(_) | TypeDef::Borrow(_) => return Err(self.unwritable("resources")),
            TypeDef::Future(_) => return Err(self.unwritable("futures")),
            TypeDef::Stream(_) => return Err(self.unwritable("streams")),
            TypeDef::ErrorContext => return Err(self.unwritable("error contexts")),
        })
    }

    fn unwritable(&self, what: &str) -> Fault {
        self.text.fault(format!("{what} cannot be written as text, only passed by a program"))
    }

    /// Returns the next word, or an error if there is none.
    fn choice(&mut self, wanted: &str) -> Result<&'t str, Fault> {
        let word = self.text.word();
        if word.is_empty() { Err(self.text.unexpected(wanted)) } else { Ok(word) }
    }

    /// Returns the fault of a word that was just read.
    fn no_word(&mut self, word: &str, wanted: &str) -> Fault {
        self.text.go_to(self.text.at() - word.len());
        self.text.unexpected(wanted)
    }

    fn integer<N: TryFrom<i128>>(&mut self, name: &str) -> Result<N, Fault> {
        let wanted = format!("an integer of type {name}");
        let word = self.choice(&wanted)?;
        let (sign, digits) = word.strip_prefix('-').map_or((1, word), |digits| (-1, digits));
        let (digits, radix) = digits.strip_prefix("0x").map_or((digits, 10), |digits| (digits, 16));
        let is_number = digits.chars().all(|digit| digit.is_digit(radix)) && !digits.is_empty();
        if !is_number {
            return Err(self.no_word(word, &wanted));
        }
        let number = i128::from_str_radix(digits, radix).ok().and_then(|number| N::try_from(number * sign).ok());
        number.ok_or_else(|| {
            self.text.go_to(self.text.at() - word.len());
            self.text.fault(format!("{word} is out of the range of {name}"))
        })
    }

    /// Returns a word that may be a number, and its position.
    fn float_word(&mut self) -> Result<(&'t str, usize), Fault> {
        let word = self.choice("a number")?;
        let at = self.text.at() - word.len();
        let digits = word.trim_start_matches('-');
        let is_number = matches!(digits, "inf" | "nan") || digits.starts_with(|first: char| first.is_ascii_digit());
        if is_number { Ok((word, at)) } else { Err(self.no_word(word, "a number, `inf` or `nan`")) }
    }

    fn no_float(&mut self, word: &str, at: usize) -> Fault {
        self.text.go_to(at);
        self.text.fault(format!("`{word}` is no number of this type"))
    }

    fn list(&mut self, element: TypeId) -> Result<Vec<Val>, Fault> {
        if !self.text.eat('[') {
            return Err(self.text.unexpected("a list such as `[…]`"));
        }
        let mut values = Vec::new();
        self.items(']', |reader, index| {
            values.push(reader.value(element).map_err(|fault| fault.within(format_args!("[{index}]")))?);
            Ok(())
        })?;
        Ok(values)
    }

    /// Reads items up to `close`, each by `item`, which gets its index. A comma may follow the last.
    fn items(&mut self, close: char, mut item: impl FnMut(&mut Self, usize) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut count = 0;
        while !self.text.eat(close) {
            item(self, count)?;
            count += 1;
            if !self.text.eat(',') {
                let wanted = format!("`,` or `{close}`");
                return if self.text.eat(close) { Ok(()) } else { Err(self.text.unexpected(&wanted)) };
            }
        }
        Ok(())
    }

    fn tuple(&mut self, all: &[TypeId]) -> Result<Val, Fault> {
        if !self.text.eat('(') {
            return Err(self.text.unexpected("a tuple such as `(…)`"));
        }
        let mut values = Vec::new();
        self.items(')', |reader, index| {
            let Some(&ty) = all.get(index) else {
                return Err(reader.text.fault(format!("the tuple has only {} elements", all.len())));
            };
            values.push(reader.value(ty).map_err(|fault| fault.within(format_args!(".{index}")))?);
            Ok(())
        })?;
        if values.len() < all.len() {
            return Err(self.text.fault(format!("the tuple has {} elements, found {}", all.len(), values.len())));
        }
        Ok(Val::Tuple(values))
    }

    fn record(&mut self, fields: &[Field]) -> Result<Val, Fault> {
        if !self.text.eat('{') {
            return Err(self.text.unexpected("a record such as `{field: …}`"));
        }
        let mut values: Vec<Option<Val>> = vec![None; fields.len()];
        let is_empty = self.text.eat(':');
        self.items('}', |reader, _| {
            let wanted = || one_of(fields.iter().map(|field| &*field.name));
            let word = if is_empty { "" } else { reader.choice(&wanted())? };
            let label = word.trim_start_matches('%');
            let Some(at) = fields.iter().position(|field| *field.name == *label) else {
                return Err(reader.no_word(word, &if is_empty { "`}`".to_string() } else { wanted() }));
            };
            if values[at].is_some() {
                return Err(reader.text.fault(format!("the field `{label}` stands twice")));
            }
            reader.text.expect(':', " after the name of a field")?;
            let value = reader.value(fields[at].ty).map_err(|fault| fault.within(format_args!(".{label}")))?;
            values[at] = Some(value);
            Ok(())
        })?;
        let mut record = Vec::with_capacity(fields.len());
        for (field, value) in fields.iter().zip(values) {
            let value = value.or_else(|| self.omitted(field.ty));
            let value = value.ok_or_else(|| self.text.fault(format!("the field `{}` is missing", field.name)))?;
            record.push((field.name.to_string(), value));
        }
        Ok(Val::Record(record))
    }

    /// Returns the value of a part that was left out.
    fn omitted(&self, ty: TypeId) -> Option<Val> {
        matches!(self.types.def(ty), TypeDef::Option(_)).then_some(Val::Option(None))
    }

    fn map(&mut self, key: TypeId, value: TypeId) -> Result<Val, Fault> {
        if !self.text.eat('{') {
            return Err(self.text.unexpected("a map such as `{key: …}`"));
        }
        let mut entries: Vec<(Val, Val)> = Vec::new();
        if self.text.eat(':') {
            self.text.expect('}', "")?;
            return Ok(Val::Map(entries));
        }
        self.items('}', |reader, index| {
            let step = |fault: Fault| fault.within(format_args!("[{index}]"));
            let key = reader.value(key).map_err(step)?;
            reader.text.expect(':', " after a key")?;
            let value = reader.value(value).map_err(step)?;
            // The last of equal keys wins.
            entries.retain(|(other, _)| *other != key);
            entries.push((key, value));
            Ok(())
        })?;
        Ok(Val::Map(entries))
    }

    fn variant(&mut self, cases: &[Case]) -> Result<Val, Fault> {
        let wanted = || one_of(cases.iter().map(|case| &*case.name));
        let word = self.choice(&wanted())?;
        let label = word.trim_start_matches('%');
        let Some(case) = cases.iter().find(|case| *case.name == *label) else {
            return Err(self.no_word(word, &wanted()));
        };
        let payload = self.payload(label, case.ty)?;
        Ok(Val::Variant(case.name.to_string(), payload))
    }

    /// Reads the payload of a case, in parentheses.
    fn payload(&mut self, label: &str, ty: Option<TypeId>) -> Result<Option<Box<Val>>, Fault> {
        let Some(ty) = ty else {
            return match self.text.peek() {
                Some('(') => Err(self.text.fault(format!("`{label}` takes no value"))),
                _ => Ok(None),
            };
        };
        self.text.expect('(', &format!(" after `{label}`"))?;
        let value = self.value(ty).map_err(|fault| fault.within(format_args!(".{label}")))?;
        self.text.expect(')', "")?;
        Ok(Some(Box::new(value)))
    }

    fn flags(&mut self, names: &[Box<str>]) -> Result<Val, Fault> {
        if !self.text.eat('{') {
            return Err(self.text.unexpected("flags such as `{…}`"));
        }
        let mut set = Vec::new();
        self.items('}', |reader, _| {
            let wanted = || one_of(names.iter().map(|name| &**name));
            let word = reader.choice(&wanted())?;
            let label = word.trim_start_matches('%').to_string();
            if !names.iter().any(|name| **name == *label) {
                return Err(reader.no_word(word, &wanted()));
            }
            if !set.contains(&label) {
                set.push(label);
            }
            Ok(())
        })?;
        Ok(Val::Flags(set))
    }

    fn option(&mut self, some: TypeId) -> Result<Val, Fault> {
        let at = self.text.at();
        match self.text.word() {
            "none" => return Ok(Val::Option(None)),
            "some" => return Ok(Val::Option(self.payload("some", Some(some))?)),
            _ => self.text.go_to(at),
        }
        if !self.is_flat(some) {
            return Err(self.text.unexpected("`some(…)` or `none`"));
        }
        Ok(Val::Option(Some(Box::new(self.value(some)?))))
    }

    fn result(&mut self, ok: Option<TypeId>, err: Option<TypeId>) -> Result<Val, Fault> {
        let at = self.text.at();
        match self.text.word() {
            "ok" => return Ok(Val::Result(Ok(self.payload("ok", ok)?))),
            "err" => return Ok(Val::Result(Err(self.payload("err", err)?))),
            _ => self.text.go_to(at),
        }
        match ok {
            Some(ok) if self.is_flat(ok) => Ok(Val::Result(Ok(Some(Box::new(self.value(ok)?))))),
            _ => Err(self.text.unexpected("`ok` or `err`")),
        }
    }

    /// Returns true if a value of this type may stand without `some` or `ok` around it.
    fn is_flat(&self, ty: TypeId) -> bool {
        !matches!(self.types.def(ty), TypeDef::Option(_) | TypeDef::Result { .. })
    }
}

/// Returns true if a number is what its word says: finite unless the word is `inf` or `nan`.
fn fits(is_finite: bool, word: &str) -> bool {
    is_finite || word.ends_with(['f', 'n'])
}

/// Returns names to choose from, for a message.
fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "nothing".to_string(),
        [one] => one.clone(),
        [most @ .., last] if most.len() < MOST => format!("{} or {last}", most.join(", ")),
        _ => format!("{} or one of {} more", names[..MOST].join(", "), names.len() - MOST),
    }
}
