//! Texts, the values that they stand for, and the text that these values are written as.

use wasmr::component::{List, Val};
use wasmr_component::{Case, Field, TypeDef, TypeId, Types};

use super::{text_of, value};

/// Types by the name that a test gives them.
struct Table {
    types: Types,
    all: Vec<(&'static str, TypeId)>,
}

impl Table {
    fn add(&mut self, name: &'static str, def: TypeDef) {
        let id = self.types.intern(def).unwrap();
        self.all.push((name, id));
    }

    fn get(&self, name: &str) -> TypeId {
        self.all.iter().find(|(other, _)| *other == name).unwrap_or_else(|| panic!("no type {name}")).1
    }
}

fn field(name: &str, ty: TypeId) -> Field {
    Field { name: name.into(), ty }
}

fn case(name: &str, ty: Option<TypeId>) -> Case {
    Case { name: name.into(), ty }
}

fn table() -> Table {
    let mut table = Table { types: Types::new(), all: Vec::new() };
    for (name, def) in [
        ("bool", TypeDef::Bool),
        ("s8", TypeDef::S8),
        ("u8", TypeDef::U8),
        ("s32", TypeDef::S32),
        ("s64", TypeDef::S64),
        ("u64", TypeDef::U64),
        ("f32", TypeDef::F32),
        ("f64", TypeDef::F64),
        ("char", TypeDef::Char),
        ("string", TypeDef::String),
        ("flags", TypeDef::Flags(["read", "write", "none"].map(Into::into).into())),
        ("enum", TypeDef::Enum(["ok", "not-found"].map(Into::into).into())),
        ("result", TypeDef::Result { ok: None, err: None }),
    ] {
        table.add(name, def);
    }
    let [u8, string, enumeration] = ["u8", "string", "enum"].map(|name| table.get(name));
    table.add("list", TypeDef::List(u8));
    table.add("strings", TypeDef::List(string));
    table.add("pair", TypeDef::FixedList(u8, 2));
    table.add("map", TypeDef::Map(string, u8));
    table.add("tuple", TypeDef::Tuple([u8, string].into()));
    table.add("option", TypeDef::Option(u8));
    table.add("result-u8", TypeDef::Result { ok: Some(u8), err: Some(string) });
    let [option, list] = ["option", "list"].map(|name| table.get(name));
    table.add("option2", TypeDef::Option(option));
    table.add("record", TypeDef::Record([field("must", u8), field("may", option)].into()));
    table.add("loose", TypeDef::Record([field("may", option)].into()));
    let cases = [case("empty", None), case("body", Some(list)), case("err", Some(string))];
    table.add("variant", TypeDef::Variant(cases.into()));
    let variant = table.get("variant");
    table.add("records", TypeDef::Record([field("mode", enumeration), field("all", variant)].into()));
    table
}

fn boxed(value: Val) -> Option<Box<Val>> {
    Some(Box::new(value))
}

#[test]
fn values_are_read_and_written() {
    let table = table();
    let u8 = |number: u8| Val::U8(number);
    // Type, value, the text that it is written as, and other texts that stand for it.
    let rows: &[(&str, Val, &str, &[&str])] = &[
        ("bool", Val::Bool(true), "true", &[" true // yes"]),
        ("s8", Val::S8(-128), "-128", &["-0x80"]),
        ("u64", Val::U64(u64::MAX), "18446744073709551615", &["0xffffffffffffffff"]),
        ("s64", Val::S64(i64::MIN), "-9223372036854775808", &[]),
        ("f32", Val::F32(0.1), "0.1", &["1e-1", "0.10"]),
        ("f64", Val::F64(-2.5), "-2.5", &["-25E-1"]),
        ("f64", Val::F64(f64::NAN), "nan", &["-nan"]),
        ("f64", Val::F64(f64::NEG_INFINITY), "-inf", &[]),
        ("char", Val::Char('☃'), "'☃'", &["'\\u{2603}'"]),
        ("char", Val::Char('\''), "'\\''", &["'\\u{27}'"]),
        ("char", Val::Char('"'), "'\"'", &["'\\\"'"]),
        ("string", Val::from("a\"b\\\n\t"), r#""a\"b\\\n\t""#, &[]),
        ("string", Val::from("\u{1b}[31m"), r#""\u{1b}[31m""#, &[]),
        ("string", Val::from(""), r#""""#, &[]),
        (
            "string",
            Val::from("one\n  two"),
            r#""one\n  two""#,
            &["\"\"\"\n  one\n    two\n  \"\"\"", "\"\"\"\r\none\r\n  two\n\"\"\""],
        ),
        ("list", Val::from(vec![u8(1), u8(2)]), "[1, 2]", &["[1,2,]", "[ 1 // one\n , 0x2 ]"]),
        ("list", Val::List(List::U8(vec![])), "[]", &[]),
        ("strings", Val::from(vec![Val::from("a, b"), Val::from("]")]), r#"["a, b", "]"]"#, &[]),
        ("pair", Val::from(vec![u8(1), u8(2)]), "[1, 2]", &[]),
        (
            "map",
            Val::Map(vec![(Val::from("b"), u8(2)), (Val::from("a"), u8(3))]),
            r#"{"b": 2, "a": 3}"#,
            &[r#"{"a": 1, "b": 2, "a": 3}"#],
        ),
        ("map", Val::Map(vec![]), "{}", &["{:}"]),
        ("tuple", Val::Tuple(vec![u8(1), Val::from("x")]), r#"(1, "x")"#, &[]),
        ("flags", Val::Flags(vec!["read".into(), "none".into()]), "{read, none}", &["{%read, none,}"]),
        ("flags", Val::Flags(vec![]), "{}", &[]),
        ("enum", Val::Enum("ok".into()), "%ok", &["ok"]),
        ("enum", Val::Enum("not-found".into()), "not-found", &["%not-found"]),
        ("option", Val::Option(None), "none", &[]),
        ("option", Val::Option(boxed(u8(7))), "some(7)", &["7"]),
        ("option2", Val::Option(boxed(Val::Option(None))), "some(none)", &[]),
        ("result", Val::Result(Ok(None)), "ok", &[]),
        ("result-u8", Val::Result(Ok(boxed(u8(7)))), "ok(7)", &["7"]),
        ("result-u8", Val::Result(Err(boxed(Val::from("no")))), r#"err("no")"#, &[]),
        ("variant", Val::Variant("empty".into(), None), "empty", &[]),
        ("variant", Val::Variant("err".into(), boxed(Val::from("x"))), r#"%err("x")"#, &[r#"err("x")"#]),
        (
            "record",
            Val::Record(vec![("must".into(), u8(1)), ("may".into(), Val::Option(None))]),
            "{must: 1}",
            &["{may: none, must: 1}"],
        ),
        ("loose", Val::Record(vec![("may".into(), Val::Option(None))]), "{:}", &["{}", "{may: none}"]),
    ];
    for (ty, expected, written, others) in rows {
        assert_eq!(text_of(expected), *written, "{ty}");
        for text in [written].into_iter().chain(*others) {
            assert_eq!(value(&table.types, table.get(ty), text).as_ref(), Ok(expected), "{ty} {text}");
        }
    }
}

#[test]
fn faults_name_their_place() {
    let table = table();
    for (ty, text, path, at, why) in [
        ("bool", "yes", "", 0, "expected `true` or `false`, found `yes`"),
        ("bool", "true false", "", 5, "expected nothing more, found `false`"),
        ("u8", "256", "", 0, "256 is out of the range of u8"),
        ("u8", "-1", "", 0, "-1 is out of the range of u8"),
        ("u8", "", "", 0, "expected an integer of type u8, found the end"),
        ("u8", "1.5", "", 0, "expected an integer of type u8, found `1.5`"),
        (
            "s32",
            "9999999999999999999999999999999999999999999",
            "",
            0,
            "9999999999999999999999999999999999999999999 is out of the range of s32",
        ),
        ("f32", "1e39", "", 0, "`1e39` is no number of this type"),
        ("f64", "x", "", 0, "expected a number, `inf` or `nan`, found `x`"),
        ("char", "'ab'", "", 2, "expected `'` after one character; a string has double quotes"),
        ("char", "''", "", 1, "there is no character between the quotes"),
        ("string", "bob", "", 0, "expected a string in double quotes, found `bob`"),
        ("string", "\"bob", "", 4, "the closing `\"` is missing"),
        (
            "string",
            r#""\q""#,
            "",
            1,
            r#"unknown escape; the escapes are `\n`, `\r`, `\t`, `\\`, `\"`, `\'` and `\u{1f44b}`"#,
        ),
        (
            "string",
            r#""\u{d800}""#,
            "",
            1,
            r#"unknown escape; the escapes are `\n`, `\r`, `\t`, `\\`, `\"`, `\'` and `\u{1f44b}`"#,
        ),
        ("list", "[1, 2, 300]", "[2]", 7, "300 is out of the range of u8"),
        ("list", "[1 2]", "", 3, "expected `,` or `]`, found `2`"),
        ("list", "1", "", 0, "expected a list such as `[…]`, found `1`"),
        ("pair", "[1]", "", 3, "expected 2 elements, found 1"),
        ("tuple", "(1)", "", 3, "the tuple has 2 elements, found 1"),
        ("tuple", "(1, 2)", ".1", 4, "expected a string in double quotes, found `2`"),
        ("record", "{}", "", 2, "the field `must` is missing"),
        ("record", "{must: 1, must: 2}", "", 14, "the field `must` stands twice"),
        ("record", "{mist: 1}", "", 1, "expected `must` or `may`, found `mist`"),
        ("record", "{must 1}", "", 6, "expected `:` after the name of a field, found `1`"),
        ("records", "{mode: 7}", ".mode", 7, "expected `ok` or `not-found`, found `7`"),
        ("records", "{mode: ok, all: body([1, x])}", ".all.body[1]", 25, "expected an integer of type u8, found `x`"),
        ("variant", "body", "", 4, "expected `(` after `body`, found the end"),
        ("variant", "empty(1)", "", 5, "`empty` takes no value"),
        ("flags", "{read, exec}", "", 7, "expected `read`, `write` or `none`, found `exec`"),
        ("option2", "7", "", 0, "expected `some(…)` or `none`, found `7`"),
        ("result", "7", "", 0, "expected `ok` or `err`, found `7`"),
        ("result-u8", "ok", "", 2, "expected `(` after `ok`, found the end"),
    ] {
        let fault = value(&table.types, table.get(ty), text).unwrap_err();
        assert_eq!((fault.path().as_str(), fault.at, fault.why.as_str()), (path, at, why), "{ty} {text}");
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    let table = table();
    let pieces = [
        "{", "}", "(", ")", "[", "]", ":", ",", "%", "'", "\"", "\"\"\"", "\n", "\\", "\\u{", "some", "ok", "must",
        "1", "-", "//", "ä",
    ];
    for (_, ty) in &table.all {
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    let _ = value(&table.types, *ty, &format!("{a}{b}{c}"));
                }
            }
        }
    }
}
