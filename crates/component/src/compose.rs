//! Composition: decides which plug provides each import, before anything is flattened.
//!
//! Takes the decoded components: the program, which is the first, and its plugs. Gives a [`Plan`]: the order of instantiation, and for
//! each import the plug and the export that provide it. Names alone decide here; `flatten` compares types. [`PlugError`] has the reasons
//! why components cannot be composed.

use std::collections::HashMap;
use std::fmt;

use wasmr_module::Fault;
use wasmr_module::printable::printable;

use crate::component::Part;
use crate::decode::{Decoded, Def};
use crate::error::{ComponentError, fault};
use crate::names::NameMap;

/// Number of names that a message lists.
const MOST: usize = 10;

/// Number of failures that a message describes.
const MAX_FAILURES: usize = 20;

/// Maximum number of bytes that a message quotes of a name or type.
const MAX_QUOTE: usize = 500;

/// Words for a resource type in a [`PlugFailure`].
pub(crate) const RESOURCE: &str = "a resource type";

/// The number of the program among the parts.
pub(crate) const PROGRAM: usize = 0;

/// An export of a plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Provider<'a> {
    /// Number of the plug among the parts.
    pub part: usize,
    /// Name of the export.
    pub export: &'a str,
}

/// Providers of imports, by name.
pub(crate) type Links<'a> = HashMap<&'a str, Provider<'a>>;

/// Providers of the imports of all parts, and the order of instantiation.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// The parts in the order of instantiation: each after those that provide its imports. The program is the last.
    pub order: Vec<usize>,
    /// Providers of the imports of each part. Imports that are not here are those of the host.
    pub links: Vec<Links<'a>>,
}

impl<'a> Plan<'a> {
    /// Finds a provider for each import that has one. [`Component::compose`](crate::Component::compose) has the rules.
    pub(crate) fn new(decoded: &Decoded<'a>, parts: &[Part<'_>]) -> Result<Plan<'a>, PlugError> {
        let imports: Vec<Vec<&str>> = (0..parts.len()).map(|part| names(decoded, part, Direction::Import)).collect();
        let exports: Vec<NameMap<&str>> = (0..parts.len())
            .map(|part| {
                let mut map = NameMap::new();
                for name in names(decoded, part, Direction::Export) {
                    map.insert(name, name);
                }
                map
            })
            .collect();
        let plugs = |importer: usize| (1..parts.len()).filter(move |plug| *plug != importer);
        let provider = |importer: usize, import: &str| {
            let found = |plug: usize| exports[plug].get(import).map(|export| Provider { part: plug, export });
            let exact = |plug: usize| found(plug).filter(|provider| provider.export == import);
            plugs(importer).find_map(exact).or_else(|| plugs(importer).find_map(found))
        };
        let links: Vec<Links<'_>> = (0..parts.len())
            .map(|part| imports[part].iter().filter_map(|import| Some((*import, provider(part, import)?))).collect())
            .collect();
        let used = used(&links);
        let unused = || (0..parts.len()).filter(|part| !used[*part]);
        // A plug that only another unused plug imports from is not the cause.
        let is_imported = |plug: usize| links.iter().flat_map(HashMap::values).any(|provider| provider.part == plug);
        if let Some(unused) = unused().find(|plug| !is_imported(*plug)).or_else(|| unused().next()) {
            let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
            let (mut open, mut taken) = (Vec::new(), Vec::new());
            for part in (0..parts.len()).filter(|part| used[*part]) {
                open.extend(imports[part].iter().copied().filter(|import| !links[part].contains_key(import)));
                let taken_here = links[part].iter().filter(|(import, _)| exports[unused].get(import).is_some());
                taken.extend(taken_here.map(|(import, provider)| (*import, provider.part)));
            }
            taken.sort_unstable();
            taken.dedup();
            return Err(PlugError::Unused {
                plug: parts[unused].name.to_owned(),
                exports: owned(names(decoded, unused, Direction::Export)),
                imports: owned(open),
                taken: taken
                    .into_iter()
                    .map(|(import, plug)| (import.to_owned(), parts[plug].name.to_owned()))
                    .collect(),
            });
        }
        let order = order(&links).map_err(|cycle| PlugError::Cycle {
            parts: cycle.into_iter().map(|part| parts[part].name.to_owned()).collect(),
        })?;
        Ok(Plan { order, links })
    }
}

/// A side of a component.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Import,
    Export,
}

/// Returns the names of a part's imports or exports.
fn names<'a>(decoded: &Decoded<'a>, part: usize, direction: Direction) -> Vec<&'a str> {
    let defs = decoded.decls[decoded.parts[part].0].defs.iter();
    let named = defs.filter_map(|def| match *def {
        Def::Import { name, .. } if direction == Direction::Import => Some(name),
        Def::Export { name, .. } if direction == Direction::Export => Some(name),
        _ => None,
    });
    named.collect()
}

/// Returns for each part whether the program needs it.
fn used(links: &[Links<'_>]) -> Vec<bool> {
    let mut used = vec![false; links.len()];
    let mut open = vec![PROGRAM];
    used[PROGRAM] = true;
    while let Some(part) = open.pop() {
        for provider in links[part].values() {
            if !std::mem::replace(&mut used[provider.part], true) {
                open.push(provider.part);
            }
        }
    }
    used
}

/// Returns the parts in an order in which each comes after its providers. The error is a cycle.
fn order(links: &[Links<'_>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut done = vec![false; links.len()];
    let mut order = Vec::with_capacity(links.len());
    let is_ready = |part: usize, done: &[bool]| links[part].values().all(|provider| done[provider.part]);
    while order.len() < links.len() {
        // Plugs come in their own order where they can, and the program last.
        let next = (1..links.len()).chain([PROGRAM]).find(|&part| !done[part] && is_ready(part, &done));
        let Some(next) = next else { return Err(cycle(links, &done)) };
        done[next] = true;
        order.push(next);
    }
    Ok(order)
}

/// Returns a cycle among the parts that are not done, each of which has a provider that is not done.
fn cycle(links: &[Links<'_>], done: &[bool]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut at = done.iter().position(|done| !done).unwrap_or(PROGRAM);
    loop {
        if let Some(begin) = path.iter().position(|part| *part == at) {
            return path.split_off(begin);
        }
        path.push(at);
        // The lowest number, so that the message does not depend on the order of a map.
        let next = links[at].values().map(|provider| provider.part).filter(|part| !done[*part]).min();
        let Some(next) = next else { return path };
        at = next;
    }
}

/// The reason why components cannot be composed, or one of them cannot be decoded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ComposeError {
    /// A fault in the bytes of a component.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The components do not fit together. Fault: the embedder's.
    #[error(transparent)]
    Plug(#[from] PlugError),
}

impl ComposeError {
    /// Returns the error of a component that was composed with no plugs.
    pub fn without_plugs(self) -> ComponentError {
        match self {
            ComposeError::Component(error) => error,
            ComposeError::Plug(error) => ComponentError::new(&fault(Fault::Invalid, error.to_string()), ""),
        }
    }
}

/// The reason why components cannot be composed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlugError {
    /// A plug provides no import of the program or of a plug that the program needs.
    Unused {
        /// Name of the plug.
        plug: String,
        /// Names of its exports.
        exports: Vec<String>,
        /// Names of the imports that no plug provides.
        imports: Vec<String>,
        /// Names of the imports that the plug could provide, each with the name of the plug that does.
        taken: Vec<(String, String)>,
    },
    /// Plugs import from each other, so that none can be instantiated first.
    Cycle {
        /// Names of the plugs. Each imports from the next, and the last from the first.
        parts: Vec<String>,
    },
    /// Items are not of the type of the import, or missing.
    Types(Vec<PlugFailure>),
}

/// An item of an import that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlugFailure {
    /// Name of the component that imports.
    pub importer: String,
    /// Name of the import.
    pub import: String,
    /// Names within the imported instance; empty for the import itself.
    pub names: Vec<String>,
    /// Name of the component with the other type: a plug, or one that has the same import.
    pub other: String,
    /// True if the other component is a plug that provides the import.
    pub is_plug: bool,
    /// Type that the import requires.
    pub expected: String,
    /// Type that the other component has; `None` if the plug's export lacks the item.
    pub found: Option<String>,
}

impl fmt::Display for PlugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlugError::Unused { plug, taken, .. } if !taken.is_empty() => {
                write!(f, "plug {} provides nothing: ", quoted(plug))?;
                for (at, (import, provider)) in taken.iter().take(MOST).enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{} comes from {}", quoted(import), quoted(provider))?;
                }
                match taken.len().saturating_sub(MOST) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            PlugError::Unused { plug, exports, imports, .. } => {
                write!(f, "plug {} exports nothing that another component imports", quoted(plug))?;
                write!(f, "; it exports {}", listed(exports))?;
                if imports.is_empty() {
                    Ok(())
                } else {
                    write!(f, ", and the imports without a plug are {}", listed(imports))
                }
            }
            PlugError::Cycle { parts } => {
                write!(f, "plugs import from each other, so that none can be first: ")?;
                let mut all = parts.iter().chain(parts.first());
                let first = all.next().map(|name| quoted(name)).unwrap_or_default();
                f.write_str(&first)?;
                all.try_for_each(|name| write!(f, " from {}", quoted(name)))
            }
            PlugError::Types(failures) => {
                f.write_str("plugs do not fit:")?;
                for failure in failures.iter().take(MAX_FAILURES) {
                    write!(f, "\n  {failure}")?;
                }
                match failures.len().saturating_sub(MAX_FAILURES) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
        }
    }
}

impl std::error::Error for PlugError {}

impl fmt::Display for PlugFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlugFailure { importer, import, names, other, is_plug, expected, found } = self;
        write!(f, "{}", quoted(import))?;
        for name in names {
            write!(f, " {}", quoted(name))?;
        }
        let expected = printable(expected, MAX_QUOTE);
        write!(f, ": {} imports {expected}, ", quoted(importer))?;
        let verb = if *is_plug { "exports" } else { "imports" };
        match found {
            None => write!(f, "which {} does not export", quoted(other)),
            Some(found) => {
                let found = printable(found, MAX_QUOTE);
                write!(f, "{} {verb} ", quoted(other))?;
                // Resource types have no names.
                match found == expected {
                    true if found == RESOURCE => f.write_str("another one"),
                    true => write!(f, "{found} with other resource types"),
                    false => f.write_str(&found),
                }
            }
        }
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", printable(name, MAX_QUOTE))
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<String> = names.iter().take(MOST).map(|name| quoted(name)).collect();
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}
