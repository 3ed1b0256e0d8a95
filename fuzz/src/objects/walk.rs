//! Digests of values: numbers by their bits, references by the shape of the object graph behind them.
//!
//! Objects are numbered in the order of the walk, so that sharing and cycles count, and addresses do not. The walk ends after a
//! number of objects.

use std::collections::HashMap;

use wasmr_core::value::V128;
use wasmr_runtime::{AnyRef, AsContextMut, ExnRef, ExternRef, RootScope, Rooted, Val};

/// Objects whose contents a walk visits.
const MAX_OBJECTS: usize = 200;

/// Elements of an array that a walk visits.
const MAX_ELEMENTS: u32 = 24;

/// Returns a description of values that is equal in two stores if the values are.
pub fn describe(store: impl AsContextMut, values: &[Val]) -> Vec<u64> {
    let mut walk = Walk { store: RootScope::new(store), known: HashMap::new(), queue: Vec::new(), out: Vec::new() };
    for &value in values {
        walk.value(value);
    }
    let mut next = 0;
    while let Some(&object) = walk.queue.get(next).filter(|_| next < MAX_OBJECTS) {
        next += 1;
        walk.contents(object);
    }
    walk.out
}

/// Marks in a description, apart from each other and from most numbers.
#[derive(Clone, Copy)]
enum Mark {
    Null = 0x1111_0001,
    Func,
    Integer,
    HostValue,
    Old,
    New,
    Struct,
    Array,
    Exception,
}

#[derive(Clone, Copy)]
enum Object {
    Any(Rooted<AnyRef>),
    Exception(Rooted<ExnRef>),
}

struct Walk<C: AsContextMut> {
    store: RootScope<C>,
    /// Number of each object, by its debugging output, which has its address.
    known: HashMap<String, u64>,
    queue: Vec<Object>,
    out: Vec<u64>,
}

const ROOTED: &str = "the walk is in a scope";

impl<C: AsContextMut> Walk<C> {
    fn mark(&mut self, mark: Mark) {
        self.out.push(mark as u64);
    }

    fn value(&mut self, value: Val) {
        match value {
            Val::I32(value) => self.out.push(value as u32 as u64),
            Val::I64(value) => self.out.push(value as u64),
            Val::F32(bits) => self.out.push(bits.into()),
            Val::F64(bits) => self.out.push(bits),
            Val::V128(vector) => {
                let bits = V128::to_u128(vector);
                self.out.extend([bits as u64, (bits >> 64) as u64]);
            }
            Val::FuncRef(None) | Val::ExternRef(None) | Val::ExnRef(None) | Val::AnyRef(None) => self.mark(Mark::Null),
            Val::FuncRef(Some(_)) => self.mark(Mark::Func),
            Val::ExternRef(Some(reference)) => self.host_value(reference),
            Val::ExnRef(Some(reference)) => self.object(&format!("{reference:?}"), Object::Exception(reference)),
            Val::AnyRef(Some(reference)) => self.any(reference),
        }
    }

    fn host_value(&mut self, reference: Rooted<ExternRef>) {
        if let Some(data) = reference.data(&self.store) {
            let number = *data.downcast_ref::<u32>().expect("the host makes only numbers");
            self.mark(Mark::HostValue);
            self.out.push(number.into());
            return;
        }
        let reference = AnyRef::convert_extern(&mut self.store, reference).expect(ROOTED);
        self.any(reference);
    }

    fn any(&mut self, reference: Rooted<AnyRef>) {
        if let Some(integer) = reference.as_i31(&self.store).expect(ROOTED) {
            self.mark(Mark::Integer);
            self.out.push(integer.get_u32().into());
            return;
        }
        let is_object = reference.is_eqref(&self.store).expect(ROOTED);
        if is_object {
            self.object(&format!("{reference:?}"), Object::Any(reference));
        } else {
            let reference = ExternRef::convert_any(&mut self.store, reference).expect(ROOTED);
            self.host_value(reference);
        }
    }

    fn object(&mut self, address: &str, object: Object) {
        let number = self.known.len() as u64;
        if let Some(&number) = self.known.get(address) {
            self.mark(Mark::Old);
            self.out.push(number);
            return;
        }
        self.known.insert(address.to_owned(), number);
        self.mark(Mark::New);
        self.queue.push(object);
    }

    fn contents(&mut self, object: Object) {
        let reference = match object {
            Object::Any(reference) => reference,
            Object::Exception(exception) => {
                self.mark(Mark::Exception);
                for value in exception.arguments(&mut self.store).expect(ROOTED) {
                    self.value(value);
                }
                return;
            }
        };
        if let Some(object) = reference.as_struct(&self.store).expect(ROOTED) {
            let fields = object.fields(&mut self.store).expect(ROOTED);
            self.mark(Mark::Struct);
            self.out.push(fields.len() as u64);
            for field in fields {
                self.value(field);
            }
            return;
        }
        let array = reference.unwrap_array(&self.store).expect(ROOTED);
        let length = array.len(&self.store).expect(ROOTED);
        self.mark(Mark::Array);
        self.out.push(length.into());
        for index in 0..length.min(MAX_ELEMENTS) {
            let element = array.get(&mut self.store, index).expect("the index is below the length");
            self.value(element);
        }
    }
}
