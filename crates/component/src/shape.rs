//! [`Shape`]: the representation of a value type in linear memory and in core values, by the
//! [canonical ABI](https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md).
//!
//! Computed once for each type, so that no walker computes a size or an offset. Sizes are those for memories with 32-bit addresses.

use crate::index::TypeId;
use crate::types::{FuncType, TypeDef, Types};

/// Most core parameters of a function. If the parameters take more, they are passed in linear memory (`MAX_FLAT_PARAMS`).
pub const MAX_FLAT_PARAMS: usize = 16;

/// Most core results of a function. If the result takes more, it is passed in linear memory (`MAX_FLAT_RESULTS`).
pub const MAX_FLAT_RESULTS: usize = 1;

/// Least size, in bytes, that no type may have. Lengths of lists are below 2²⁸ for the same reason: every offset fits in 32 bits.
const MAX_SIZE: u64 = 1 << 28;

/// Returns the bytes of the discriminant of a variant or enum of `cases` cases (`discriminant_type`).
pub const fn discriminant_size(cases: usize) -> u32 {
    match cases {
        0..=256 => 1,
        257..=65536 => 2,
        _ => 4,
    }
}

/// Returns the bytes of up to 32 flags (`elem_size_flags`).
pub const fn flags_size(flags: usize) -> u32 {
    match flags {
        0..=8 => 1,
        9..=16 => 2,
        _ => 4,
    }
}

/// The type of a core value that represents a value, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlatType {
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
}

impl FlatType {
    /// Returns the type that can hold the bits of both: `join` of the canonical ABI.
    fn join(self, other: FlatType) -> FlatType {
        match (self, other) {
            (a, b) if a == b => a,
            (FlatType::I32, FlatType::F32) | (FlatType::F32, FlatType::I32) => FlatType::I32,
            _ => FlatType::I64,
        }
    }
}

/// The representation of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes in linear memory, a multiple of `align` (`elem_size`).
    pub size: u32,
    /// Alignment in linear memory, in bytes: 1, 2, 4 or 8.
    pub align: u32,
    /// The core values; `None` if there are more than [`MAX_FLAT_PARAMS`].
    pub flat: Option<Box<[FlatType]>>,
    /// True if every bit pattern is a value, and no byte is padding. A list of such elements is copied as a whole: nothing has to be
    /// checked, and no byte of the sender that is not part of a value gets to the receiver.
    pub plain: bool,
    /// True if the type contains a handle of a resource, a future or a stream.
    pub has_handles: bool,
    /// True if values have contents elsewhere in linear memory: the type contains a list of any length, a map or a string.
    pub has_pointers: bool,
    /// Nesting of types, 1 for a type without components.
    pub depth: u8,
    /// The places of its components.
    pub layout: Layout,
}

/// The places of a type's components in linear memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// There are no components, or they are elsewhere.
    Scalar,
    /// Record or tuple: the offset of each field.
    Fields(Box<[u32]>),
    /// Variant, enum, option or result.
    Variant {
        /// Bytes of the discriminant: 1, 2 or 4.
        discriminant: u32,
        /// Offset of every payload.
        payload: u32,
    },
}

/// The representation of a function's parameters and result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuncShape {
    /// The core parameters; `None` if there are more than [`MAX_FLAT_PARAMS`], so that they are passed in linear memory.
    pub flat_params: Option<Box<[FlatType]>>,
    /// Offset of each parameter, if they are passed in linear memory.
    pub offsets: Box<[u32]>,
    /// Bytes of the parameters in linear memory.
    pub size: u32,
    /// Alignment of the parameters in linear memory.
    pub align: u32,
    /// The core results; `None` if there are more than [`MAX_FLAT_RESULTS`], so that they are passed in linear memory.
    pub flat_result: Option<Box<[FlatType]>>,
}

/// Returns `offset`, rounded up to a multiple of `align`.
fn align_up(offset: u64, align: u32) -> u64 {
    offset.next_multiple_of(u64::from(align))
}

/// Facts about a sequence of fields.
struct Fields {
    offsets: Box<[u32]>,
    size: u32,
    align: u32,
    flat: Option<Box<[FlatType]>>,
    plain: bool,
}

/// Lays out fields one after the other. `None` if they take 2²⁸ bytes or more.
fn fields(types: &Types, fields: impl Iterator<Item = TypeId> + Clone) -> Option<Fields> {
    let (mut at, mut align, mut plain) = (0, 1, true);
    let mut offsets = Vec::new();
    for field in fields.clone().map(|id| types.shape(id)) {
        let start = align_up(at, field.align);
        plain &= field.plain && start == at;
        offsets.push(u32::try_from(start).ok()?);
        at = start + u64::from(field.size);
        align = align.max(field.align);
        if at >= MAX_SIZE {
            return None;
        }
    }
    let size = align_up(at, align);
    plain &= size == at;
    let size = u32::try_from(size).ok().filter(|&size| u64::from(size) < MAX_SIZE)?;
    Some(Fields { offsets: offsets.into(), size, align, flat: concat(types, fields), plain })
}

/// Returns the core values of several types; `None` if there are more than [`MAX_FLAT_PARAMS`].
fn concat(types: &Types, all: impl Iterator<Item = TypeId>) -> Option<Box<[FlatType]>> {
    let mut flat = Vec::new();
    for id in all {
        flat.extend_from_slice(types.shape(id).flat.as_deref()?);
        if flat.len() > MAX_FLAT_PARAMS {
            return None;
        }
    }
    Some(flat.into())
}

impl Shape {
    fn scalar(size: u32, flat: FlatType, plain: bool) -> Shape {
        Shape {
            size,
            align: size,
            flat: Some([flat].into()),
            plain,
            has_handles: false,
            has_pointers: false,
            depth: 1,
            layout: Layout::Scalar,
        }
    }

    /// Returns the shape of a pointer and a length.
    fn list() -> Shape {
        let flat: Box<[FlatType]> = [FlatType::I32, FlatType::I32].into();
        Shape { size: 8, flat: Some(flat), has_pointers: true, ..Shape::scalar(4, FlatType::I32, false) }
    }

    fn handle() -> Shape {
        Shape { has_handles: true, ..Shape::scalar(4, FlatType::I32, false) }
    }

    /// Returns the shape of a variant whose cases have these payloads.
    fn variant(types: &Types, cases: &[Option<TypeId>]) -> Option<Shape> {
        let discriminant = discriminant_size(cases.len());
        let shapes = || cases.iter().flatten().map(|&id| types.shape(id));
        let align = shapes().map(|shape| shape.align).max().unwrap_or(1);
        let payload = align_up(discriminant.into(), align);
        let largest = shapes().map(|shape| u64::from(shape.size)).max().unwrap_or(0);
        let whole = align.max(discriminant);
        let size = align_up(payload + largest, whole);
        Some(Shape {
            size: u32::try_from(size).ok().filter(|&size| u64::from(size) < MAX_SIZE)?,
            flat: joined(shapes()),
            layout: Layout::Variant { discriminant, payload: u32::try_from(payload).ok()? },
            ..Shape::scalar(whole, FlatType::I32, false)
        })
    }

    /// Returns the shape of a type whose components are in `types`; `None` if it is too large or too deep.
    pub(crate) fn of(def: &TypeDef, types: &Types) -> Option<Shape> {
        let mut shape = match def {
            TypeDef::Bool => Shape::scalar(1, FlatType::I32, false),
            TypeDef::S8 | TypeDef::U8 => Shape::scalar(1, FlatType::I32, true),
            TypeDef::S16 | TypeDef::U16 => Shape::scalar(2, FlatType::I32, true),
            TypeDef::S32 | TypeDef::U32 => Shape::scalar(4, FlatType::I32, true),
            TypeDef::S64 | TypeDef::U64 => Shape::scalar(8, FlatType::I64, true),
            TypeDef::F32 => Shape::scalar(4, FlatType::F32, true),
            TypeDef::F64 => Shape::scalar(8, FlatType::F64, true),
            TypeDef::Char => Shape::scalar(4, FlatType::I32, false),
            TypeDef::String | TypeDef::List(_) | TypeDef::Map(..) => Shape::list(),
            TypeDef::ErrorContext | TypeDef::Own(_) | TypeDef::Borrow(_) | TypeDef::Future(_) | TypeDef::Stream(_) => {
                Shape::handle()
            }
            TypeDef::FixedList(element, length) => {
                let shape = types.shape(*element);
                let size = u64::from(shape.size).checked_mul(u64::from(*length)).filter(|&size| size < MAX_SIZE)?;
                let count = usize::try_from(*length).ok().filter(|&count| count <= MAX_FLAT_PARAMS);
                let flat = count.and_then(|count| concat(types, std::iter::repeat_n(*element, count)));
                Shape { size: u32::try_from(size).ok()?, flat, layout: Layout::Scalar, ..shape.clone() }
            }
            TypeDef::Record(all) => Shape::product(types, all.iter().map(|field| field.ty))?,
            TypeDef::Tuple(all) => Shape::product(types, all.iter().copied())?,
            TypeDef::Flags(names) => {
                let size = flags_size(names.len());
                Shape::scalar(size, FlatType::I32, names.len() == 8 * size as usize)
            }
            TypeDef::Enum(names) => Shape::variant(types, &vec![None; names.len()])?,
            TypeDef::Variant(cases) => {
                let payloads: Vec<Option<TypeId>> = cases.iter().map(|case| case.ty).collect();
                Shape::variant(types, &payloads)?
            }
            TypeDef::Option(some) => Shape::variant(types, &[None, Some(*some)])?,
            TypeDef::Result { ok, err } => Shape::variant(types, &[*ok, *err])?,
        };
        let mut depth = 0;
        for part in def.components() {
            let part = types.shape(part);
            shape.has_handles |= part.has_handles;
            shape.has_pointers |= part.has_pointers;
            depth = depth.max(part.depth);
        }
        shape.depth = depth.checked_add(1).filter(|&depth| depth <= Types::MAX_DEPTH)?;
        Some(shape)
    }

    fn product(types: &Types, all: impl Iterator<Item = TypeId> + Clone) -> Option<Shape> {
        let Fields { offsets, size, align, flat, plain } = fields(types, all)?;
        let layout = Layout::Fields(offsets);
        Some(Shape { size, flat, layout, ..Shape::scalar(align, FlatType::I32, plain) })
    }
}

/// Returns the core values of a variant: the discriminant, then values that can hold the payload of each case.
fn joined<'a>(payloads: impl Iterator<Item = &'a Shape>) -> Option<Box<[FlatType]>> {
    let mut flat = vec![FlatType::I32];
    for payload in payloads {
        for (at, &ty) in payload.flat.as_deref()?.iter().enumerate() {
            match flat.get_mut(at + 1) {
                Some(place) => *place = place.join(ty),
                None => flat.push(ty),
            }
        }
    }
    (flat.len() <= MAX_FLAT_PARAMS).then(|| flat.into())
}

impl FuncShape {
    pub(crate) fn of(func: &FuncType, types: &Types) -> Option<FuncShape> {
        let Fields { offsets, size, align, flat, .. } = fields(types, func.params.iter().map(|param| param.ty))?;
        let flat_result = concat(types, func.result.into_iter()).filter(|flat| flat.len() <= MAX_FLAT_RESULTS);
        Some(FuncShape { flat_params: flat, offsets, size, align, flat_result })
    }
}

impl TypeDef {
    /// Returns the types that this one consists of.
    pub fn components(&self) -> Box<dyn Iterator<Item = TypeId> + '_> {
        match self {
            TypeDef::List(element) | TypeDef::FixedList(element, _) | TypeDef::Option(element) => {
                Box::new(std::iter::once(*element))
            }
            TypeDef::Map(key, value) => Box::new([*key, *value].into_iter()),
            TypeDef::Record(fields) => Box::new(fields.iter().map(|field| field.ty)),
            TypeDef::Tuple(types) => Box::new(types.iter().copied()),
            TypeDef::Variant(cases) => Box::new(cases.iter().filter_map(|case| case.ty)),
            TypeDef::Result { ok, err } => Box::new(ok.iter().chain(err).copied()),
            TypeDef::Future(ty) | TypeDef::Stream(ty) => Box::new(ty.iter().copied()),
            _ => Box::new(std::iter::empty()),
        }
    }
}
