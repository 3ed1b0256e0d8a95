//! The canonical ABI against vectors that the specification's executable definition computed
//! (`crates/canon/tests/vectors/generate.py`), and the walkers against each other.

mod json;

use wasmr_component::{Case as CaseDef, Field, FlatType, FuncTypeId, StringEncoding, TypeDef, TypeId, Types};
use wasmr_engine::{Engine, Module};
use wasmr_runtime::{AsContextMut, Instance, Store, StoreContextMut};

use crate::abi::flat::{lift_flat, lower_flat};
use crate::abi::transfer::TransferCx;
use crate::abi::{Budget, FlatIn, FlatOut, LiftCx, LowerCx, NO_SCOPE, string};
use crate::state::{InstanceKey, InstanceState, LiveOptions, State};
use crate::value::{List, Val};
use json::Json;

/// Address of the values.
const START: u32 = 1024;

/// A bump allocator that starts at 1024, shrinks in place, and otherwise moves.
const GUEST: &str = r#"(module
    (memory (export "memory") 8)
    (global $free (export "free") (mut i32) (i32.const 1024))
    (global $calls (export "calls") (mut i32) (i32.const 0))
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
        (local $at i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.and (i32.ne (local.get $old_size) (i32.const 0)) (i32.le_u (local.get $size) (local.get $old_size)))
            (then (return (local.get $old))))
        (local.set $at (i32.and
            (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get $align))))
        (global.set $free (i32.add (local.get $at) (local.get $size)))
        (memory.copy (local.get $at) (local.get $old) (local.get $old_size))
        (local.get $at)))"#;

/// A store with two guests.
struct World {
    store: Store<()>,
    guests: [Instance; 2],
}

fn world() -> World {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST).unwrap();
    let mut store = Store::new(&engine, ());
    let guests = [0, 1].map(|_| Instance::new(&mut store, &module, &[]).unwrap());
    let mut context = store.as_context_mut();
    let state: &mut State = context.extension();
    state.instances.extend([InstanceState::new(None), InstanceState::new(None)]);
    World { store, guests }
}

impl World {
    fn options(&mut self, guest: usize, encoding: StringEncoding) -> LiveOptions {
        let instance = self.guests[guest];
        LiveOptions {
            live: 0,
            instance: InstanceKey(guest as u32),
            encoding,
            memory: instance.get_memory(&self.store, "memory"),
            realloc: instance.get_func(&self.store, "realloc"),
            post_return: None,
        }
    }

    /// Sets the first free address of a guest.
    fn reset(&mut self, guest: usize, free: u32) {
        let set = |world: &mut World, name, value: u32| {
            let global = world.guests[guest].get_global(&world.store, name).unwrap();
            global.set(&mut world.store, wasmr_runtime::Val::I32(value as i32)).unwrap();
        };
        set(self, "free", free);
        set(self, "calls", 0);
        let memory = self.guests[guest].get_memory(&self.store, "memory").unwrap();
        memory.data_mut(&mut self.store).fill(0);
    }

    fn get(&mut self, guest: usize, name: &str) -> u32 {
        let global = self.guests[guest].get_global(&self.store, name).unwrap();
        global.get(&mut self.store).i32().unwrap() as u32
    }

    /// Returns the bytes from 1024 to the first free address, in hexadecimal.
    fn image(&mut self, guest: usize) -> String {
        let end = self.get(guest, "free") as usize;
        let memory = self.guests[guest].get_memory(&self.store, "memory").unwrap();
        memory.data(&self.store)[START as usize..end].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes bytes in hexadecimal to address 1024.
    fn write(&mut self, guest: usize, image: &str) {
        let bytes = (0..image.len()).step_by(2).map(|at| u8::from_str_radix(&image[at..at + 2], 16).unwrap());
        let bytes: Vec<u8> = bytes.collect();
        let memory = self.guests[guest].get_memory(&self.store, "memory").unwrap();
        memory.data_mut(&mut self.store)[START as usize..][..bytes.len()].copy_from_slice(&bytes);
    }

    fn lower(&mut self, types: &Types, options: LiveOptions, run: impl FnOnce(&mut LowerCx<'_>)) {
        let store: StoreContextMut<'_, ()> = self.store.as_context_mut();
        run(&mut LowerCx { types, ty: FuncTypeId(0), store, options: &options, scope: NO_SCOPE, given: Vec::new() });
    }

    fn lift<R>(&mut self, types: &Types, options: LiveOptions, run: impl FnOnce(&mut LiftCx<'_>) -> R) -> R {
        let parts = self.store.as_context_mut().into_parts::<State>(options.memory);
        run(&mut LiftCx {
            types,
            ty: FuncTypeId(0),
            memory: parts.memory,
            options: &options,
            state: parts.extension,
            scope: NO_SCOPE,
            budget: Budget(Budget::DEFAULT),
        })
    }
}

fn encoding_of(json: &Json) -> StringEncoding {
    match json.text() {
        "utf8" => StringEncoding::Utf8,
        "utf16" => StringEncoding::Utf16,
        "latin1+utf16" => StringEncoding::CompactUtf16,
        other => panic!("{other}"),
    }
}

fn names(prefix: char, count: i128) -> Box<[Box<str>]> {
    (0..count).map(|index| format!("{prefix}{index}").into()).collect()
}

/// Interns the type of a vector.
fn type_of(types: &mut Types, json: &Json) -> TypeId {
    let mut part = |json: &Json| type_of(types, json);
    let def = match json {
        Json::Text(name) => match name.as_str() {
            "bool" => TypeDef::Bool,
            "s8" => TypeDef::S8,
            "u8" => TypeDef::U8,
            "s16" => TypeDef::S16,
            "u16" => TypeDef::U16,
            "s32" => TypeDef::S32,
            "u32" => TypeDef::U32,
            "s64" => TypeDef::S64,
            "u64" => TypeDef::U64,
            "f32" => TypeDef::F32,
            "f64" => TypeDef::F64,
            "char" => TypeDef::Char,
            "string" => TypeDef::String,
            other => panic!("{other}"),
        },
        _ => {
            let all = json.items();
            match all[0].text() {
                "list" => TypeDef::List(part(&all[1])),
                "fixed" => TypeDef::FixedList(part(&all[1]), all[2].number() as u32),
                "map" => TypeDef::Map(part(&all[1]), part(&all[2])),
                "record" => {
                    let field = |json: &Json| Field { name: json.items()[0].text().into(), ty: part(&json.items()[1]) };
                    TypeDef::Record(all[1].items().iter().map(field).collect())
                }
                "tuple" => TypeDef::Tuple(all[1].items().iter().map(part).collect()),
                "variant" => {
                    let case = |json: &Json| CaseDef {
                        name: json.items()[0].text().into(),
                        ty: json.items()[1].present().map(&mut part),
                    };
                    TypeDef::Variant(all[1].items().iter().map(case).collect())
                }
                "many" => {
                    let (count, last) = (all[1].number(), part(&all[2]));
                    let named = names('c', count).into_iter().enumerate();
                    let ty = |index| (index as i128 == count - 1).then_some(last);
                    TypeDef::Variant(named.map(|(index, name)| CaseDef { name, ty: ty(index) }).collect())
                }
                "enum" => TypeDef::Enum(names('c', all[1].number())),
                "flags" => TypeDef::Flags(names('f', all[1].number())),
                "option" => TypeDef::Option(part(&all[1])),
                "result" => {
                    TypeDef::Result { ok: all[1].present().map(&mut part), err: all[2].present().map(&mut part) }
                }
                other => panic!("{other}"),
            }
        }
    };
    types.intern(def).unwrap()
}

/// Returns the value of a vector.
fn value_of(types: &Types, ty: TypeId, json: &Json) -> Val {
    let text = |json: &Json| -> String {
        json.items().iter().map(|code| char::from_u32(code.number() as u32).unwrap()).collect()
    };
    let payload = |ty: Option<TypeId>| ty.map(|ty| Box::new(value_of(types, ty, &json.items()[1])));
    let case = || json.items()[0].number() as usize;
    match types.def(ty) {
        TypeDef::Bool => Val::Bool(json.number() != 0),
        TypeDef::S8 => Val::S8(json.number() as i8),
        TypeDef::U8 => Val::U8(json.number() as u8),
        TypeDef::S16 => Val::S16(json.number() as i16),
        TypeDef::U16 => Val::U16(json.number() as u16),
        TypeDef::S32 => Val::S32(json.number() as i32),
        TypeDef::U32 => Val::U32(json.number() as u32),
        TypeDef::S64 => Val::S64(json.number() as i64),
        TypeDef::U64 => Val::U64(json.number() as u64),
        TypeDef::F32 => Val::F32(f32::from_bits(json.number() as u32)),
        TypeDef::F64 => Val::F64(f64::from_bits(json.number() as u64)),
        TypeDef::Char => Val::Char(char::from_u32(json.number() as u32).unwrap()),
        TypeDef::String => Val::String(text(json)),
        TypeDef::List(element) | TypeDef::FixedList(element, _) => {
            Val::from(json.items().iter().map(|json| value_of(types, *element, json)).collect::<Vec<Val>>())
        }
        TypeDef::Map(key, value) => {
            let entry =
                |json: &Json| (value_of(types, *key, &json.items()[0]), value_of(types, *value, &json.items()[1]));
            Val::Map(json.items().iter().map(entry).collect())
        }
        TypeDef::Record(fields) => {
            let all = fields.iter().zip(json.items());
            Val::Record(all.map(|(field, json)| (field.name.to_string(), value_of(types, field.ty, json))).collect())
        }
        TypeDef::Tuple(fields) => {
            Val::Tuple(fields.iter().zip(json.items()).map(|(&ty, json)| value_of(types, ty, json)).collect())
        }
        TypeDef::Variant(cases) => {
            let found = &cases[case()];
            Val::Variant(found.name.to_string(), payload(found.ty))
        }
        TypeDef::Enum(names) => Val::Enum(names[json.number() as usize].to_string()),
        TypeDef::Flags(names) => {
            let set = names.iter().zip(json.items()).filter(|(_, json)| json.number() != 0);
            Val::Flags(set.map(|(name, _)| name.to_string()).collect())
        }
        TypeDef::Option(some) => Val::Option(payload((case() == 1).then_some(*some))),
        TypeDef::Result { ok, .. } if case() == 0 => Val::Result(Ok(payload(*ok))),
        TypeDef::Result { err, .. } => Val::Result(Err(payload(*err))),
        other => panic!("{other:?}"),
    }
}

fn vectors() -> Json {
    Json::parse(include_str!("../../../tests/vectors/vectors.json"))
}

#[test]
fn values_are_as_the_specification_says() {
    let mut world = world();
    for vector in vectors().get("values").items() {
        let mut types = Types::new();
        let ty = type_of(&mut types, vector.get("type"));
        let value = value_of(&types, ty, vector.get("value"));
        let encoding = encoding_of(vector.get("encoding"));
        let options = world.options(0, encoding);
        let shape = types.shape(ty);
        let what = format!("{:?} of {:?}", vector.get("value"), vector.get("type"));
        assert_eq!(i128::from(shape.size), vector.get("size").number(), "{what}");
        assert_eq!(i128::from(shape.align), vector.get("align").number(), "{what}");

        world.reset(0, START + shape.size);
        world.lower(&types, options, |cx| cx.store(ty, &value, START as usize).unwrap());
        assert_eq!(world.image(0), vector.get("stored").text(), "{what}");
        assert_eq!(i128::from(world.get(0, "calls")), vector.get("calls").number(), "{what}");
        assert_eq!(world.lift(&types, options, |cx| cx.load(ty, START as usize).unwrap()), value, "{what}");

        // From one memory to another, with another encoding in between, and back.
        for other in [StringEncoding::Utf8, StringEncoding::Utf16, StringEncoding::CompactUtf16] {
            let there = world.options(1, other);
            world.reset(1, START + shape.size);
            world.transfer(&types, options, there, |cx| cx.memory(ty, START as usize, START as usize).unwrap());
            assert_eq!(world.lift(&types, there, |cx| cx.load(ty, START as usize).unwrap()), value, "{what}");
        }

        let Some(flat) = vector.find("flat") else {
            assert_eq!(shape.flat, None, "{what}");
            continue;
        };
        let core = |ty: &FlatType| match ty {
            FlatType::I32 => "i32",
            FlatType::I64 => "i64",
            FlatType::F32 => "f32",
            FlatType::F64 => "f64",
        };
        let found: Vec<&str> = shape.flat.as_deref().unwrap().iter().map(core).collect();
        assert_eq!(found, flat.items().iter().map(Json::text).collect::<Vec<&str>>(), "{what}");
        let mut slots = [0xdead; 17];
        world.reset(0, START);
        world.lower(&types, options, |cx| lower_flat(cx, ty, &value, &mut FlatOut::new(&mut slots)).unwrap());
        let expected: Vec<u64> = vector.get("slots").items().iter().map(|slot| slot.number() as u64).collect();
        assert_eq!(&slots[..found.len()], expected, "{what}");
        assert_eq!(world.image(0), vector.get("lowered").text(), "{what}");
        let lifted = world.lift(&types, options, |cx| lift_flat(cx, ty, &mut FlatIn::new(&slots)).unwrap());
        assert_eq!(lifted, value, "{what}");

        let there = world.options(1, StringEncoding::Utf16);
        world.reset(1, START);
        let mut passed = [0xdead; 17];
        world.transfer(&types, options, there, |cx| {
            cx.flat(ty, &mut FlatIn::new(&slots), &mut FlatOut::new(&mut passed)).unwrap();
        });
        let lifted = world.lift(&types, there, |cx| lift_flat(cx, ty, &mut FlatIn::new(&passed)).unwrap());
        assert_eq!(lifted, value, "{what}");
    }
}

impl World {
    fn transfer(&mut self, types: &Types, from: LiveOptions, to: LiveOptions, run: impl FnOnce(&mut TransferCx<'_>)) {
        let store = self.store.as_context_mut();
        let lower = LowerCx { types, ty: FuncTypeId(0), store, options: &to, scope: NO_SCOPE, given: Vec::new() };
        run(&mut TransferCx { from: &from, lower, budget: Budget(Budget::TRANSFER) });
    }
}

#[test]
fn strings_change_their_encoding_as_the_specification_says() {
    let mut world = world();
    let types = Types::new();
    for vector in vectors().get("transcodings").items() {
        let text: String =
            vector.get("text").items().iter().map(|code| char::from_u32(code.number() as u32).unwrap()).collect();
        let (source, target) = (encoding_of(vector.get("from")), encoding_of(vector.get("to")));
        let (from, to) = (world.options(0, source), world.options(1, target));
        world.reset(0, START);
        world.reset(1, START);
        let mut range = (0, 0);
        world.lower(&types, from, |cx| range = string::lower(cx, &text).unwrap());
        let mut passed = (0, 0);
        world.transfer(&types, from, to, |cx| passed = string::transfer(cx, range.0, range.1).unwrap());
        let what = format!("{text:?} from {source:?} to {target:?}");
        assert_eq!(i128::from(passed.0), vector.get("ptr").number(), "{what}");
        assert_eq!(i128::from(passed.1), vector.get("units").number(), "{what}");
        assert_eq!(world.image(1), vector.get("image").text(), "{what}");
        assert_eq!(i128::from(world.get(1, "calls")), vector.get("calls").number(), "{what}");
        assert_eq!(world.lift(&types, to, |cx| string::lift(cx, passed.0, passed.1).unwrap()), text, "{what}");
    }
}

/// The receiver gets the bytes that the specification's loading and storing leave, so none of the sender's padding.
#[test]
fn values_go_from_memory_to_memory_as_the_specification_says() {
    let mut world = world();
    let numbers = |json: &Json| -> Vec<u64> { json.items().iter().map(|slot| slot.number() as u64).collect() };
    for vector in vectors().get("transfers").items() {
        let mut types = Types::new();
        let ty = type_of(&mut types, vector.get("type"));
        let (from, to) = (encoding_of(vector.get("from")), encoding_of(vector.get("to")));
        let what = format!("{vector:?}");
        let (from, to) = (world.options(0, from), world.options(1, to));
        let slots = vector.find("slots");
        let start = START + if slots.is_none() { types.shape(ty).size } else { 0 };
        world.reset(0, start);
        world.reset(1, start);
        world.write(0, vector.get("sent").text());
        match slots {
            Some(slots) => {
                let mut passed = [0xdead; 17];
                world.transfer(&types, from, to, |cx| {
                    cx.flat(ty, &mut FlatIn::new(&numbers(slots)), &mut FlatOut::new(&mut passed)).unwrap();
                });
                let expected = numbers(vector.get("passed"));
                assert_eq!(&passed[..expected.len()], expected, "{what}");
            }
            None => world.transfer(&types, from, to, |cx| cx.memory(ty, START as usize, START as usize).unwrap()),
        }
        assert_eq!(world.image(1), vector.get("received").text(), "{what}");
        assert_eq!(i128::from(world.get(1, "calls")), vector.get("calls").number(), "{what}");
    }
}

#[test]
fn lists_of_numbers_take_their_own_size() {
    let mut world = world();
    let mut types = Types::new();
    let byte = types.intern(TypeDef::U8).unwrap();
    let list = types.intern(TypeDef::List(byte)).unwrap();
    let options = world.options(0, StringEncoding::Utf8);
    world.reset(0, START);
    let bytes: Vec<u8> = (0..=255).collect();
    let mut slots = [0; 17];
    let value = Val::bytes(bytes.clone());
    world.lower(&types, options, |cx| lower_flat(cx, list, &value, &mut FlatOut::new(&mut slots)).unwrap());
    let lifted = world.lift(&types, options, |cx| lift_flat(cx, list, &mut FlatIn::new(&slots)).unwrap());
    assert!(matches!(&lifted, Val::List(List::U8(found)) if *found == bytes));
    // The elements as values are the same list.
    assert_eq!(lifted, Val::from(bytes.into_iter().map(Val::U8).collect::<Vec<Val>>()));
}

/// A guest can make the host neither read or write out of bounds, nor panic, nor allocate by a number that it chose.
#[test]
fn pointers_and_lengths_are_checked_before_use() {
    let mut world = world();
    let mut types = Types::new();
    let byte = types.intern(TypeDef::U8).unwrap();
    let word = types.intern(TypeDef::U64).unwrap();
    let text = types.intern(TypeDef::String).unwrap();
    let bytes = types.intern(TypeDef::List(byte)).unwrap();
    let words = types.intern(TypeDef::List(word)).unwrap();
    let nested = types.intern(TypeDef::List(bytes)).unwrap();
    let size = 8u64 << 16;
    let cases: [(TypeId, u64, u64, &str); 9] = [
        (bytes, 0, 1 << 28, "256 MiB or more"),
        (bytes, 0, u64::from(u32::MAX), "256 MiB or more"),
        (words, 0, 1 << 29, "256 MiB or more"),
        (bytes, size, 1, "out of bounds"),
        (bytes, u64::from(u32::MAX), 2, "out of bounds"),
        (words, 4, 1, "unaligned pointer"),
        (nested, 2, 1, "unaligned pointer"),
        (text, size - 1, 2, "out of bounds"),
        (text, 0, u64::from(u32::MAX), "out of bounds"),
    ];
    for encoding in [StringEncoding::Utf8, StringEncoding::Utf16, StringEncoding::CompactUtf16] {
        let (options, there) = (world.options(0, encoding), world.options(1, StringEncoding::Utf8));
        for (ty, ptr, len, expected) in cases {
            let slots = [ptr, len];
            let error = world.lift(&types, options, |cx| lift_flat(cx, ty, &mut FlatIn::new(&slots)).unwrap_err());
            let unaligned = encoding != StringEncoding::Utf8 && ty == text && ptr % 2 == 1;
            let expected = if unaligned { "unaligned" } else { expected };
            assert!(format!("{error:?}").contains(expected), "{error:?}: {expected}");
            let mut passed = [0; 17];
            world.transfer(&types, options, there, |cx| {
                let error = cx.flat(ty, &mut FlatIn::new(&slots), &mut FlatOut::new(&mut passed)).unwrap_err();
                assert!(format!("{error:?}").contains(expected), "{error:?}: {expected}");
            });
        }
    }
    // A list of lists, all of which are the same bytes, is more than the host keeps for one call.
    let options = world.options(0, StringEncoding::Utf8);
    let memory = world.guests[0].get_memory(&world.store, "memory").unwrap();
    for entry in memory.data_mut(&mut world.store)[..8 << 12].chunks_exact_mut(8) {
        entry.copy_from_slice(&(u64::from(1u32 << 16) << 32).to_le_bytes());
    }
    let slots = [0, 1 << 12];
    let error = world.lift(&types, options, |cx| lift_flat(cx, nested, &mut FlatIn::new(&slots)).unwrap_err());
    assert!(format!("{error:?}").contains("larger than the host allows"), "{error:?}");
}
