//! The functions that a component exports, and the one that a user means by a name.
//!
//! A function of an exported interface has the full name `ns:pkg/iface@1.0.0#f`. Shorter names are `ns:pkg/iface#f`, `iface#f`, and `f`
//! if only one interface has a function of that name. A name with a version also finds a compatible version.

use wasmr::component::types::ComponentFunc;
use wasmr::symbol::printable;
use wasmr_component::{Component, ExportItem, Exports, FuncDef, FuncName, FuncTypeId, InterfaceName};

use crate::cli::habits;

/// Number of functions that a message lists.
const MOST: usize = 50;

/// A function that a component exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callable {
    /// Full name, with names of instances before `#`.
    pub(crate) name: String,
    /// Type.
    pub(crate) ty: FuncTypeId,
    /// True if the function is an import that the component passes on.
    is_import: bool,
}

impl Callable {
    /// Returns the names of the instances around the function, and its own.
    fn split(&self) -> (&str, &str) {
        self.name.rsplit_once('#').unwrap_or(("", &self.name))
    }

    /// Returns the signature with the name in front: `add: func(a: u32, b: u32) -> u32`.
    pub(crate) fn signature(&self, component: &Component) -> String {
        let ty = ComponentFunc::new(component, self.ty).to_string();
        format!("{}: {}", printable(&self.name), printable(&ty))
    }
}

/// Returns the functions that a component exports, those of its interfaces included.
pub(crate) fn callables(component: &Component) -> Vec<Callable> {
    fn add(exports: &Exports, prefix: &str, all: &mut Vec<Callable>) {
        for (name, item) in &exports.items {
            let name = format!("{prefix}{name}");
            match item {
                ExportItem::Func(def, ty) => {
                    all.push(Callable { name, ty: *ty, is_import: matches!(def, FuncDef::Import(_)) });
                }
                ExportItem::Instance(exports) => add(exports, &format!("{name}#"), all),
                _ => {}
            }
        }
    }
    let mut all = Vec::new();
    add(&component.exports, "", &mut all);
    all
}

/// Returns the function that a user means by a name. The error says what is there; `file` is the component's file as typed.
pub(crate) fn find(component: &Component, wanted: &str, file: &str) -> Result<Callable, (String, String)> {
    let all = callables(component);
    let word = printable(wanted);
    let found: Vec<&Callable> = match all.iter().find(|callable| callable.name == wanted) {
        Some(exact) => vec![exact],
        None => all.iter().filter(|callable| is_meant(callable, wanted)).collect(),
    };
    match found.as_slice() {
        [one] if one.is_import => {
            let sentence =
                format!("`{word}` of `{file}` is an import that the component passes on, which wasmr cannot call");
            Err((sentence, String::new()))
        }
        [one] => Ok((*one).clone()),
        [] => {
            let near =
                habits::near(wanted, all.iter().flat_map(|callable| [callable.name.as_str(), callable.split().1]));
            let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near[0]) };
            Err((format!("`{file}` exports no function `{word}` for --invoke{hint}"), exports_help(component, file)))
        }
        several => {
            let mut details = "write one of these names in full:\n".to_string();
            list(component, several.iter().copied(), &mut details);
            Err((format!("`{word}` is the name of several functions that `{file}` exports"), details))
        }
    }
}

/// Returns true if a user may mean the function by a name other than its full one.
fn is_meant(callable: &Callable, wanted: &str) -> bool {
    let (interface, func) = callable.split();
    let (wanted_interface, wanted_func) = wanted.rsplit_once('#').unwrap_or(("", wanted));
    let short = match FuncName::parse(func) {
        FuncName::Plain(name) => name.to_string(),
        FuncName::Constructor(resource) => resource.to_string(),
        FuncName::Method(resource, name) | FuncName::Static(resource, name) => format!("{resource}.{name}"),
    };
    if wanted_func != func && wanted_func != short {
        return false;
    }
    if wanted_interface.is_empty() {
        return !wanted.contains('#');
    }
    let without_version = InterfaceName::without_version(interface);
    let last = without_version.rsplit_once('/').map_or(without_version, |(_, last)| last);
    [interface, without_version, last].contains(&wanted_interface)
        || InterfaceName::track_of(wanted_interface)
            .is_some_and(|wanted| InterfaceName::track_of(interface) == Some(wanted))
}

/// Returns a list of the functions that a component exports, and the command that calls the first.
pub(crate) fn exports_help(component: &Component, file: &str) -> String {
    let all = callables(component);
    let Some(first) = all.iter().find(|callable| !callable.is_import) else {
        return "the component exports no function".to_string();
    };
    let mut text = "functions that it exports:\n".to_string();
    list(component, all.iter(), &mut text);
    let shorter = [first.split().1, first.name.as_str()];
    let name = shorter.into_iter().find(|name| all.iter().filter(|other| is_meant(other, name)).count() == 1);
    let params = component.types.func(first.ty).params.iter().map(|param| param.name.to_uppercase());
    let command = command(name.unwrap_or(&first.name), file, &params.collect::<Vec<_>>());
    text + &format!("to call one, type\n  {command}")
}

/// Returns a command line that calls a function.
fn command(name: &str, file: &str, args: &[String]) -> String {
    crate::cli::missing::invoke_command(&printable(name), file, args)
}

fn list<'a>(component: &Component, all: impl ExactSizeIterator<Item = &'a Callable>, text: &mut String) {
    let more = all.len().saturating_sub(MOST);
    for callable in all.take(MOST) {
        text.push_str(&format!("  {}\n", callable.signature(component)));
    }
    if more > 0 {
        text.push_str(&format!("  and {more} more, which `wasmr inspect` lists\n"));
    }
}
