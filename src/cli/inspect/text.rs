//! Facts as text for people: the most important facts first, long lists cut, names demangled and escaped.

use std::fmt::Write;

use wasmr::symbol::{printable, readable};
use wasmr_core::count::{Count, grouped};

use super::facts::{Facts, Object, Port, Segments};

/// Number of types and of objects of a kind that are listed. Large modules have thousands.
const SHOWN: usize = 20;

/// Maximum width of a list's first column. A longer entry moves only its own line.
const MAX_WIDTH: usize = 48;

/// Returns the facts as lines.
pub fn text(facts: &Facts<'_>) -> String {
    let mut out = String::new();
    let name = facts.name.map(|name| format!(" `{}`", printable(name))).unwrap_or_default();
    line(&mut out, format_args!("{}: module{name}, {} bytes", printable(&facts.file), grouped(facts.bytes)));
    needs(&mut out, facts);
    functions(&mut out, facts);
    segments(&mut out, &facts.data, "data segment", "byte");
    segments(&mut out, &facts.elements, "element segment", "element");

    ports(&mut out, "imports", &facts.imports);
    ports(&mut out, "exports", &facts.exports);
    objects(&mut out, "memories", &facts.memories);
    objects(&mut out, "tables", &facts.tables);
    objects(&mut out, "tags", &facts.tags);
    objects(&mut out, "globals", &facts.globals);
    heading(&mut out, "types", facts.types.len());
    let width = name_width(facts.types.iter().map(|ty| ty.name));
    for (index, ty) in facts.types.iter().enumerate().take(SHOWN) {
        line(&mut out, format_args!("  {index:<4} {}{}", name_column(ty.name, width), ty.text));
    }
    rest(&mut out, facts.types.len());

    heading(&mut out, "sections", facts.sections.len());
    for section in &facts.sections {
        let kind = match section.name {
            Some(name) => format!("custom `{}`", printable(name)),
            None => section.kind.to_string(),
        };
        let items = section.items.map(|items| format!("  {}", count(items as usize, "item"))).unwrap_or_default();
        let (offset, bytes) = (format!("{:#x}", section.offset), count(section.bytes, "byte"));
        line(&mut out, format_args!("  {kind:<24} {bytes:>17} at {offset:<9}{items}"));
    }

    heading(&mut out, "largest functions", facts.functions.largest.len());
    for func in &facts.functions.largest {
        let name = func.name.map_or_else(|| format!("<wasm function {}>", func.index), readable);
        line(&mut out, format_args!("  {:>9} bytes  {:<6} {name}", grouped(func.bytes), func.index));
    }

    heading(&mut out, "producers", facts.producers.len());
    for tool in &facts.producers {
        let field = printable(tool.field);
        line(&mut out, format_args!("  {field:<14} {} {}", printable(tool.name), printable(tool.version)));
    }
    out
}

/// Adds a line, without blanks at its end.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = write!(out, "{text}");
    out.truncate(out.trim_end().len());
    out.push('\n');
}

fn needs(out: &mut String, facts: &Facts<'_>) {
    let names: Vec<&str> = facts.features.iter().map(|feature| feature.name()).collect();
    match names.is_empty() {
        true => line(out, format_args!("  required features: none beyond WebAssembly 1.0")),
        false => line(out, format_args!("  required features: {}", names.join(", "))),
    }
    if let Some(why) = &facts.refusal {
        line(out, format_args!("  cannot be run: {}", printable(why)));
    }
}

fn functions(out: &mut String, facts: &Facts<'_>) {
    let functions = &facts.functions;
    let (defined, imported) = (count(functions.defined as usize, "function"), functions.imported);
    let code = count(functions.code_bytes, "byte");
    line(out, format_args!("  {defined} with {code} of code, and {imported} imported"));
    if let Some(start) = functions.start {
        line(out, format_args!("  function {start} runs at instantiation"));
    }
}

fn segments(out: &mut String, segments: &Segments, what: &'static str, of: &'static str) {
    if segments.count > 0 {
        line(out, format_args!("  {} with {}", count(segments.count, what), count(segments.size as usize, of)));
    }
}

fn heading(out: &mut String, what: &str, how_many: usize) {
    if how_many > 0 {
        out.push('\n');
        line(out, format_args!("{what}"));
    }
}

/// Adds the number of list entries that are not shown.
fn rest(out: &mut String, all: usize) {
    if all > SHOWN {
        line(out, format_args!("  … {} more; --json lists all", grouped(all - SHOWN)));
    }
}

fn ports(out: &mut String, what: &str, ports: &[Port<'_>]) {
    heading(out, what, ports.len());
    let name = |port: &Port<'_>| match port.module {
        Some(module) => format!("{} {}", printable(module), printable(port.name)),
        None => printable(port.name),
    };
    let width = ports.iter().map(|port| name(port).chars().count()).filter(|&width| width <= MAX_WIDTH).max();
    let width = width.unwrap_or_default();
    for port in ports {
        line(out, format_args!("  {:<width$}  {}", name(port), port.ty));
    }
}

fn objects(out: &mut String, what: &str, objects: &[Object<'_>]) {
    heading(out, what, objects.len());
    let width = name_width(objects.iter().map(|object| object.name));
    for (index, object) in objects.iter().enumerate().take(SHOWN) {
        let imported = if object.imported { "  imported" } else { "" };
        line(out, format_args!("  {index:<4} {}{}{imported}", name_column(object.name, width), object.ty));
    }
    rest(out, objects.len());
}

/// Returns the width of the names of the listed entries, and of two blanks; 0 if none has a name.
fn name_width<'a>(names: impl Iterator<Item = Option<&'a str>>) -> usize {
    let widths = names.take(SHOWN).flatten().map(|name| printable(name).chars().count() + 2);
    widths.filter(|&width| width <= MAX_WIDTH).max().unwrap_or_default()
}

/// Returns a name, padded to a width.
fn name_column(name: Option<&str>, width: usize) -> String {
    let name = name.map(printable).unwrap_or_default();
    format!("{name:<width$}")
}

/// Returns a number with its noun: `1 item`, `2 items`.
fn count(number: usize, noun: &'static str) -> String {
    Count(number, noun).grouped()
}
