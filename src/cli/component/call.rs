//! `--invoke` for components: the function and its arguments, of the command line; its result, as text.
//!
//! A call is written as `name(args)` in [`wave`], or as a name and one word per argument after the file. Such a word is WAVE too, except
//! that strings and characters need no quotes.

use wasmr::component::Val;
use wasmr::component::types::ComponentFunc;
use wasmr::symbol::printable;
use wasmr_component::{Component, FuncType, TypeDef, TypeId, Types};
use wasmr_core::count::Count;

use super::names::Callable;
use super::wave::{self, Fault};
use crate::cli::report::printable_word;

/// Bytes of text around a fault that a message shows.
const AROUND: usize = 60;

/// Splits the value of `--invoke` into the name of the function and its arguments in parentheses.
pub(crate) fn split(invoke: &str) -> (&str, Option<&str>) {
    match invoke.find('(') {
        Some(at) => (invoke[..at].trim_end(), Some(&invoke[at..])),
        None => (invoke, None),
    }
}

/// Returns the arguments for a call: `written` are those in parentheses, `words` those after the file. The error contains the
/// signature.
pub(crate) fn arguments(
    component: &Component,
    callable: &Callable,
    written: Option<&str>,
    words: &[String],
) -> Result<Vec<Val>, String> {
    let types = &component.types;
    let func = types.func(callable.ty);
    let values = match written {
        Some(_) if !words.is_empty() => Err(format!(
            "the arguments stand in parentheses already, so `{}` after the file is one too many",
            printable_word(&words[0])
        )),
        Some(text) => in_parentheses(types, func, text),
        None => of_words(types, func, words),
    };
    let values = values.and_then(|values| complete(types, func, values));
    values.map_err(|why| format!("{why}; signature: {}", ComponentFunc::new(component, callable.ty)))
}

fn in_parentheses(types: &Types, func: &FuncType, text: &str) -> Result<Vec<Val>, String> {
    wave::arguments(types, &func.params, text).map_err(|(index, fault)| match index {
        Some(index) if index < func.params.len() => {
            format!("{} {}: {}{}", place(index), part(func, index, &fault), fault.why, around(text, fault.at))
        }
        Some(_) => format!("expected {}, got more", Count(func.params.len(), "argument")),
        None => format!("{}{}", fault.why, around(text, fault.at)),
    })
}

fn of_words(types: &Types, func: &FuncType, words: &[String]) -> Result<Vec<Val>, String> {
    if words.len() > func.params.len() {
        return Err(format!("expected {}, got {}", Count(func.params.len(), "argument"), words.len()));
    }
    let values = words.iter().zip(&func.params).enumerate().map(|(index, (text, param))| {
        word(types, param.ty, text).map_err(|fault| {
            format!("{} {} is `{}`: {}", place(index), part(func, index, &fault), printable(text), fault.why)
        })
    });
    values.collect()
}

/// Adds the arguments that were left out at the end, which are options that are `none`.
fn complete(types: &Types, func: &FuncType, mut values: Vec<Val>) -> Result<Vec<Val>, String> {
    let found = values.len();
    for param in &func.params[found..] {
        if !matches!(types.def(param.ty), TypeDef::Option(_)) {
            return Err(format!("expected {}, got {found}", Count(func.params.len(), "argument")));
        }
        values.push(Val::Option(None));
    }
    Ok(values)
}

/// Returns the value that a word stands for. A string or character is the word itself, unless that is in quotes.
fn word(types: &Types, ty: TypeId, text: &str) -> Result<Val, Fault> {
    let value = wave::value(types, ty, text);
    let mut chars = text.chars();
    match (types.def(ty), value) {
        (_, Ok(value)) => Ok(value),
        (TypeDef::String, Err(_)) => Ok(Val::from(text)),
        (TypeDef::Char, Err(fault)) => match (chars.next(), chars.next()) {
            (Some(one), None) => Ok(Val::Char(one)),
            _ => Err(fault),
        },
        (TypeDef::Option(some), Err(fault)) if is_textual(types, *some) => match word(types, *some, text) {
            Ok(value) => Ok(Val::Option(Some(Box::new(value)))),
            Err(_) => Err(fault),
        },
        (_, Err(fault)) => Err(fault),
    }
}

fn is_textual(types: &Types, ty: TypeId) -> bool {
    matches!(types.def(ty), TypeDef::String | TypeDef::Char)
}

fn place(index: usize) -> String {
    format!("argument {}", index + 1)
}

/// Returns the name of a parameter with the path to the part of its value that has a fault.
fn part(func: &FuncType, index: usize, fault: &Fault) -> String {
    format!("`{}{}`", printable(&func.params[index].name), printable(&fault.path()))
}

/// Returns the position in a text, and the text from there.
fn around(text: &str, at: usize) -> String {
    let column = text[..at].chars().count() + 1;
    let rest: String = text[at..].chars().take(AROUND).collect();
    if rest.is_empty() {
        return String::new();
    }
    let cut = if rest.len() < text.len() - at { "…" } else { "" };
    format!(" (at `{}{cut}`, character {column} of the arguments)", printable(&rest))
}

/// Returns the line for a result, or nothing if the function has none.
pub(crate) fn result_line(result: Option<&Val>) -> String {
    result.map_or_else(String::new, |value| wave::text_of(value) + "\n")
}
