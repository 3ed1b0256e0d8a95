//! Value types: generation, text, and their layout by the specification's `alignment`, `elem_size` and `flatten_type`.

use arbitrary::{Result, Unstructured};

/// Deepest nesting of a generated type.
const MAX_DEPTH: u32 = 4;

/// A value type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bool`
    Bool,
    /// A number of 1, 2, 4 or 8 bytes.
    Int {
        /// Number of bytes.
        bytes: u32,
        /// True for a signed number.
        signed: bool,
    },
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<T>`
    List(Box<Type>),
    /// `list<T, N>`
    Fixed(Box<Type>, u32),
    /// `map<K, V>`
    Map(Box<Type>, Box<Type>),
    /// `record`
    Record(Vec<Type>),
    /// `tuple`
    Tuple(Vec<Type>),
    /// `variant`
    Variant(Vec<Option<Type>>),
    /// `enum` with a number of cases.
    Enum(u32),
    /// `flags` with a number of names.
    Flags(u32),
    /// `option<T>`
    Option(Box<Type>),
    /// `result<T, E>`
    Result(Option<Box<Type>>, Option<Box<Type>>),
}

/// The type of a core value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
}

impl Core {
    /// Returns the type's name.
    pub fn name(self) -> &'static str {
        match self {
            Core::I32 => "i32",
            Core::I64 => "i64",
            Core::F32 => "f32",
            Core::F64 => "f64",
        }
    }
}

/// Texts of the types that need names.
#[derive(Default)]
pub struct Named {
    /// Definitions and imports of the types.
    pub text: String,
    /// Number of named types.
    pub count: usize,
}

impl Type {
    /// Generates a type of at most `nodes` parts.
    pub fn arbitrary(u: &mut Unstructured<'_>, nodes: &mut u32) -> Result<Type> {
        Type::at_depth(u, 0, nodes)
    }

    fn at_depth(u: &mut Unstructured<'_>, depth: u32, nodes: &mut u32) -> Result<Type> {
        *nodes = nodes.saturating_sub(1);
        let kinds = if depth == MAX_DEPTH || *nodes == 0 { 8 } else { 20 };
        let mut part = |u: &mut Unstructured<'_>| Type::at_depth(u, depth + 1, nodes);
        Ok(match u.int_in_range(0..=kinds - 1)? {
            0 => Type::Bool,
            1 | 2 => Type::Int { bytes: 1 << u.int_in_range(0..=3)?, signed: u.arbitrary()? },
            3 => Type::F32,
            4 => Type::F64,
            5 => Type::Char,
            6 | 7 => Type::String,
            8 | 9 => Type::List(part(u)?.into()),
            10 => Type::Fixed(part(u)?.into(), u.int_in_range(1..=4)?),
            11 => {
                let keys = [
                    Type::String,
                    Type::Char,
                    Type::Bool,
                    Type::Int { bytes: 1, signed: false },
                    Type::Int { bytes: 8, signed: true },
                ];
                Type::Map(u.choose(&keys)?.clone().into(), part(u)?.into())
            }
            12 | 13 => Type::Record(several(u, &mut part)?),
            14 => Type::Tuple(several(u, &mut part)?),
            15 => {
                let mut cases = several(u, |u| if u.arbitrary()? { part(u).map(Some) } else { Ok(None) })?;
                if u.ratio(1, 16)? {
                    // The discriminant takes two bytes.
                    cases.resize(257, None);
                }
                Type::Variant(cases)
            }
            16 => Type::Enum(*u.choose(&[1, 2, 3, 255, 256, 257])?),
            17 => Type::Flags(*u.choose(&[1, 7, 8, 9, 16, 17, 31, 32])?),
            18 => Type::Option(part(u)?.into()),
            _ => {
                let mut side = || if u.arbitrary()? { part(u).map(|ty| Some(Box::new(ty))) } else { Ok(None) };
                Type::Result(side()?, side()?)
            }
        })
    }

    /// Returns the type's text, after its definitions, where it needs them, were added to `named`.
    pub fn text(&self, named: &mut Named) -> String {
        let option = |ty: &Option<Box<Type>>, named: &mut Named| ty.as_ref().map(|ty| ty.text(named));
        let all = |tys: &[Type], named: &mut Named| tys.iter().map(|ty| ty.text(named)).collect::<Vec<_>>();
        let numbered = |text: String, (index, ty): (usize, String)| format!("{text} (field \"f{index}\" {ty})");
        let labels = |kind: char, count: u32| (0..count).map(|i| format!(" \"{kind}{i}\"")).collect::<String>();
        let definition = match self {
            Type::Bool => return "bool".into(),
            Type::Int { bytes, signed } => return format!("{}{}", if *signed { 's' } else { 'u' }, bytes * 8),
            Type::F32 => return "f32".into(),
            Type::F64 => return "f64".into(),
            Type::Char => return "char".into(),
            Type::String => return "string".into(),
            Type::List(ty) => return format!("(list {})", ty.text(named)),
            Type::Fixed(ty, count) => return format!("(list {} {count})", ty.text(named)),
            Type::Map(key, value) => return format!("(map {} {})", key.text(named), value.text(named)),
            Type::Tuple(tys) => return format!("(tuple {})", all(tys, named).join(" ")),
            Type::Option(ty) => return format!("(option {})", ty.text(named)),
            Type::Result(ok, error) => {
                let ok = option(ok, named).unwrap_or_default();
                let error = option(error, named).map(|ty| format!("(error {ty})")).unwrap_or_default();
                return format!("(result {ok} {error})");
            }
            Type::Record(tys) => {
                let fields = all(tys, named).into_iter().enumerate().fold(String::new(), numbered);
                format!("(record{fields})")
            }
            Type::Variant(cases) => {
                let mut text = "(variant".to_string();
                for (index, case) in cases.iter().enumerate() {
                    let payload = case.as_ref().map(|ty| ty.text(named)).unwrap_or_default();
                    text += &format!(" (case \"c{index}\" {payload})");
                }
                text + ")"
            }
            Type::Enum(count) => format!("(enum{})", labels('c', *count)),
            Type::Flags(count) => format!("(flags{})", labels('b', *count)),
        };
        let number = named.count;
        named.count += 1;
        named.text +=
            &format!("(type $d{number} {definition}) (import \"t{number}\" (type $t{number} (eq $d{number})))\n");
        format!("$t{number}")
    }

    /// Returns the fields, if the type is laid out as a record.
    pub fn fields(&self) -> Option<Vec<&Type>> {
        match self {
            Type::Record(tys) | Type::Tuple(tys) => Some(tys.iter().collect()),
            _ => None,
        }
    }

    /// Returns the payloads of the cases, if the type is laid out as a variant.
    pub fn cases(&self) -> Option<Vec<Option<&Type>>> {
        match self {
            Type::Variant(cases) => Some(cases.iter().map(Option::as_ref).collect()),
            Type::Enum(count) => Some(vec![None; *count as usize]),
            Type::Option(some) => Some(vec![None, Some(some)]),
            Type::Result(ok, error) => Some(vec![ok.as_deref(), error.as_deref()]),
            _ => None,
        }
    }

    /// Returns the elements' type, if the type is laid out as a list: that of a map is a pair.
    pub fn element(&self) -> Option<Type> {
        match self {
            Type::List(element) => Some((**element).clone()),
            Type::Map(key, value) => Some(Type::Tuple(vec![(**key).clone(), (**value).clone()])),
            _ => None,
        }
    }

    /// Returns the number of bytes of the type's discriminant, for a type with cases.
    pub fn discriminant(&self) -> u32 {
        match self.cases().map_or(0, |cases| cases.len()) {
            0..=256 => 1,
            257..=65536 => 2,
            _ => 4,
        }
    }

    /// Returns the offset of the payload, for a type with cases.
    pub fn payload(&self) -> u32 {
        let cases = self.cases().unwrap_or_default();
        let align = cases.iter().flatten().map(|ty| ty.align()).max().unwrap_or(1);
        self.discriminant().next_multiple_of(align)
    }

    /// Returns the alignment in memory.
    pub fn align(&self) -> u32 {
        match self {
            Type::Bool => 1,
            Type::Int { bytes, .. } => *bytes,
            Type::F32 | Type::Char | Type::String | Type::List(_) | Type::Map(..) => 4,
            Type::F64 => 8,
            Type::Fixed(element, _) => element.align(),
            Type::Record(tys) | Type::Tuple(tys) => tys.iter().map(Type::align).max().unwrap_or(1),
            Type::Flags(count) => flags(*count),
            Type::Variant(_) | Type::Enum(_) | Type::Option(_) | Type::Result(..) => {
                let cases = self.cases().unwrap_or_default();
                cases.iter().flatten().map(|ty| ty.align()).max().unwrap_or(1).max(self.discriminant())
            }
        }
    }

    /// Returns the size in memory.
    pub fn size(&self) -> u32 {
        match self {
            Type::Bool | Type::Int { .. } | Type::F32 | Type::F64 | Type::Char => self.align(),
            Type::String | Type::List(_) | Type::Map(..) => 8,
            Type::Fixed(element, count) => element.size() * count,
            Type::Flags(count) => flags(*count),
            Type::Record(tys) | Type::Tuple(tys) => {
                let end = tys.iter().fold(0, |at: u32, ty| at.next_multiple_of(ty.align()) + ty.size());
                end.next_multiple_of(self.align())
            }
            Type::Variant(_) | Type::Enum(_) | Type::Option(_) | Type::Result(..) => {
                let cases = self.cases().unwrap_or_default();
                let largest = cases.iter().flatten().map(|ty| ty.size()).max().unwrap_or(0);
                (self.payload() + largest).next_multiple_of(self.align())
            }
        }
    }

    /// Returns the core values.
    pub fn flat(&self) -> Vec<Core> {
        match self {
            Type::Bool | Type::Char | Type::Flags(_) => vec![Core::I32],
            Type::Int { bytes, .. } => vec![if *bytes == 8 { Core::I64 } else { Core::I32 }],
            Type::F32 => vec![Core::F32],
            Type::F64 => vec![Core::F64],
            Type::String | Type::List(_) | Type::Map(..) => vec![Core::I32, Core::I32],
            Type::Fixed(element, count) => element.flat().repeat(*count as usize),
            Type::Record(tys) | Type::Tuple(tys) => tys.iter().flat_map(Type::flat).collect(),
            Type::Variant(_) | Type::Enum(_) | Type::Option(_) | Type::Result(..) => {
                let mut joined: Vec<Core> = Vec::new();
                for payload in self.cases().unwrap_or_default().into_iter().flatten() {
                    for (at, core) in payload.flat().into_iter().enumerate() {
                        match joined.get_mut(at) {
                            None => joined.push(core),
                            Some(known) => *known = join(*known, core),
                        }
                    }
                }
                joined.insert(0, Core::I32);
                joined
            }
        }
    }
}

fn join(a: Core, b: Core) -> Core {
    match (a, b) {
        _ if a == b => a,
        (Core::I32, Core::F32) | (Core::F32, Core::I32) => Core::I32,
        _ => Core::I64,
    }
}

fn flags(count: u32) -> u32 {
    match count {
        0..=8 => 1,
        9..=16 => 2,
        _ => 4,
    }
}

/// Generates one to five items.
fn several<T>(u: &mut Unstructured<'_>, mut item: impl FnMut(&mut Unstructured<'_>) -> Result<T>) -> Result<Vec<T>> {
    (0..u.int_in_range(1..=5)?).map(|_| item(u)).collect()
}
