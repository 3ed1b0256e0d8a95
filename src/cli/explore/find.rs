//! Finds the function of a module that a word names: by index, or by a name in the name section or the exports.
//!
//! A word can match the name in the module or its demangled form. If no function or more than one matches, the error lists
//! candidates.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use wasmr::symbol::{printable, readable};
use wasmr::{Export, ExternKind};
use wasmr_core::edit_distance::edit_distance;
use wasmr_module::Module;

use crate::cli::exit::UsageError;

/// Number of functions that an error lists.
const SHOWN: usize = 8;

/// Returns the core module of a component that a word names. Without a word, returns the only one, or the only one that defines a
/// function named `func`.
#[cfg(feature = "component")]
pub fn core_module(
    component: &wasmr::component::Component,
    asked: Option<&str>,
    func: Option<&str>,
) -> anyhow::Result<wasmr::Module> {
    let modules = component.modules();
    let name_of = |module: &wasmr::Module| -> String {
        let name = module.name().strip_prefix(component.name()).and_then(|name| name.strip_prefix(':'));
        name.unwrap_or(module.name()).to_owned()
    };
    let one = |(index, module): (usize, &wasmr::Module)| match name_of(module) {
        name if name == index.to_string() => name,
        name => format!("{index} (`{}`)", printable(&name)),
    };
    let list_of = |all: &mut dyn Iterator<Item = (usize, &wasmr::Module)>| all.map(one).collect::<Vec<_>>().join(", ");
    let list = || list_of(&mut modules.iter().enumerate());
    let shown = printable(component.name());
    let Some(asked) = asked else {
        let choose = "choose one with --module INDEX or --module NAME";
        // An index alone tells nothing: every module has a function of that index.
        let func = func.filter(|func| modules.len() > 1 && func.parse::<u32>().is_err());
        let defines = |module: &wasmr::Module, func| {
            find(&module.module, Some(func)).is_ok_and(|index| index >= module.module.imported_func_count())
        };
        let found: Vec<(usize, &wasmr::Module)> =
            modules.iter().enumerate().filter(|(_, module)| func.is_none_or(|func| defines(module, func))).collect();
        return match (&found[..], func) {
            ([(_, module)], _) => Ok((*module).clone()),
            _ if modules.is_empty() => Err(UsageError(format!("the component `{shown}` has no core module")).into()),
            ([], Some(func)) => {
                let func = printable(func);
                anyhow::bail!("no core module of `{shown}` defines one function `{func}`; {choose}: {}", list())
            }
            (_, Some(func)) => {
                let (count, func) = (found.len(), printable(func));
                let list = list_of(&mut found.iter().copied());
                let sentence =
                    format!("{count} core modules of `{shown}` define a function `{func}`; {choose}: {list}");
                Err(UsageError(sentence).into())
            }
            (_, None) => {
                let count = modules.len();
                Err(UsageError(format!("the component `{shown}` has {count} core modules; {choose}: {}", list()))
                    .into())
            }
        };
    };
    let by_index = || modules.get(asked.parse::<usize>().ok()?);
    let found = modules.iter().find(|module| name_of(module) == asked).or_else(by_index);
    found.cloned().ok_or_else(|| {
        let asked = printable(asked);
        anyhow::anyhow!("there is no core module `{asked}` in `{shown}`; it has {}", list())
    })
}

/// Returns the index of the named function, or of the only function with a body if there is no word.
pub fn find(module: &Module, asked: Option<&str>) -> anyhow::Result<u32> {
    let imported = module.imported_func_count();
    let Some(asked) = asked else {
        return match module.defined_func_count() {
            0 => Err(UsageError(format!("`{}` defines no function", printable(module.name()))).into()),
            1 => Ok(imported),
            count => {
                let exported = exported(module);
                let some = if exported.is_empty() { largest(module) } else { exported };
                let name = printable(module.name());
                let choose = format!("`{name}` defines {count} functions; choose one with --func INDEX or --func NAME");
                Err(UsageError(format!("{choose}, such as {}", shown(module, &some))).into())
            }
        };
    };
    if let Ok(index) = asked.parse() {
        return Ok(index);
    }
    let word = asked.strip_prefix('$').unwrap_or(asked);
    let names = names(module);
    let meant: BTreeSet<u32> =
        names.iter().filter(|(_, name)| *name == word || *name == asked).map(|it| it.0).collect();
    let mut meant: Vec<u32> = meant.into_iter().collect();
    if meant.is_empty() {
        let named = names.iter().filter(|(_, name)| readable(name) == word);
        meant = named.map(|it| it.0).collect::<BTreeSet<u32>>().into_iter().collect();
    }
    match meant[..] {
        [index] => Ok(index),
        [] => {
            let near = near(&names, word);
            let hint =
                if near.is_empty() { String::new() } else { format!("; similar names: {}", shown(module, &near)) };
            anyhow::bail!("there is no function `{}` in `{}`{hint}", printable(asked), printable(module.name()))
        }
        _ => anyhow::bail!("`{}` is the name of several functions: {}", printable(asked), shown(module, &meant)),
    }
}

/// Returns the demangled and escaped name of a function.
pub fn name_of(module: &Module, index: u32) -> Option<String> {
    let is_it = |export: &&Export| export.kind == ExternKind::Func && export.index == index;
    let exported = || module.exports().iter().find(is_it).map(|export| &*export.name);
    module.names().func_name(index).or_else(exported).map(readable)
}

/// Returns all names of functions, with the function's index.
fn names(module: &Module) -> Vec<(u32, &str)> {
    let exports = module.exports().iter().filter(|export| export.kind == ExternKind::Func);
    module.names().funcs().chain(exports.map(|export| (export.index, &*export.name))).collect()
}

/// Returns the exported functions with a body, in order.
fn exported(module: &Module) -> Vec<u32> {
    let exports = module.exports().iter().filter(|export| export.kind == ExternKind::Func);
    let indices: BTreeSet<u32> = exports.map(|export| export.index).collect();
    indices.into_iter().filter(|&index| index >= module.imported_func_count()).collect()
}

/// Returns all functions with a body, largest first.
fn largest(module: &Module) -> Vec<u32> {
    let mut indices: Vec<u32> = (0..module.defined_func_count()).collect();
    indices.sort_by_key(|&defined| Reverse(module.body(defined).bytes.len()));
    indices.into_iter().map(|defined| defined + module.imported_func_count()).collect()
}

/// Lists the first few functions by index and name.
fn shown(module: &Module, indices: &[u32]) -> String {
    let one = |&index: &u32| match name_of(module, index) {
        Some(name) => format!("{index} (`{name}`)"),
        None => index.to_string(),
    };
    let mut list: Vec<String> = indices.iter().take(SHOWN).map(one).collect();
    if indices.len() > SHOWN {
        list.push("…".to_owned());
    }
    list.join(", ")
}

/// Returns the functions whose names resemble a word, most similar first: the name is a few edits away, or contains the word.
fn near(names: &[(u32, &str)], word: &str) -> Vec<u32> {
    let length = word.chars().count();
    let allowed = (length / 3).max(if length > 2 { 2 } else { 1 });
    let mut found: Vec<(usize, usize, u32)> = Vec::new();
    for &(index, name) in names {
        let name = readable(name);
        let rank = match edit_distance(&name, word, allowed) {
            Some(distance) => distance,
            None if !word.is_empty() && name.to_lowercase().contains(&word.to_lowercase()) => allowed + 1,
            None => continue,
        };
        found.push((rank, name.len(), index));
    }
    found.sort_unstable();
    let mut seen = BTreeSet::new();
    found.into_iter().map(|(_, _, index)| index).filter(|&index| seen.insert(index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn module(text: &str) -> Arc<Module> {
        let engine = wasmr::Engine::default();
        wasmr::Module::new(&engine, text).unwrap().module.clone()
    }

    const SOME: &str = r#"(module (import "" "" (func $host))
        (func $fib (export "fibonacci")) (func $fab) (func (@name "fab")) (func (export "_ZN1a3add17h0123456789abcdefE")))"#;

    #[track_caller]
    fn finds(asked: &str, expected: Result<u32, &str>) {
        let found = find(&module(SOME), Some(asked)).map_err(|error| error.to_string());
        assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text), "{asked}");
    }

    #[test]
    fn indices_and_names_of_all_kinds() {
        for (asked, index) in
            [("1", 1), ("fib", 1), ("$fib", 1), ("fibonacci", 1), ("host", 0), ("a::add", 4), ("77", 77)]
        {
            finds(asked, Ok(index));
        }
        finds("_ZN1a3add17h0123456789abcdefE", Ok(4));
    }

    #[test]
    fn candidates_are_listed() {
        finds("fab", Err("`fab` is the name of several functions: 2 (`fab`), 3 (`fab`)"));
        finds("fbi", Err("there is no function `fbi` in `<module>`; similar names: 1 (`fib`), 2 (`fab`), 3 (`fab`)"));
        finds("fibo", Err("there is no function `fibo` in `<module>`; similar names: 1 (`fib`), 2 (`fab`), 3 (`fab`)"));
        finds("bonac", Err("there is no function `bonac` in `<module>`; similar names: 1 (`fib`)"));
        finds("ADD", Err("there is no function `ADD` in `<module>`; similar names: 4 (`a::add`)"));
        finds("x\u{1b}yzw", Err("there is no function `x\\u{1b}yzw` in `<module>`"));
    }

    #[test]
    fn one_function_needs_no_name() {
        assert_eq!(find(&module("(module (import \"\" \"\" (func)) (func))"), None).unwrap(), 1);
        let error = find(&module("(module)"), None).unwrap_err();
        assert!(error.is::<UsageError>());
        assert_eq!(error.to_string(), "`<module>` defines no function");
        let error = find(&module(SOME), None).unwrap_err();
        let choose = "`<module>` defines 4 functions; choose one with --func INDEX or --func NAME, such as 1 (`fib`), 4 (`a::add`)";
        assert_eq!(error.to_string(), choose);
        let error = find(&module("(module (func) (func nop nop))"), None).unwrap_err();
        assert!(error.to_string().ends_with("such as 1, 0"), "{error}");
    }
}
