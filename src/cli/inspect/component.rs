//! `wasmr inspect` of a component: its imports and exports, and the core modules within it, as text, as JSON or as WIT.

use std::fmt::Write;

use wasmr::symbol::printable;
use wasmr::{Feature, Features, Inspection, ModuleBytes, TypeRegistry};
use wasmr_component::{Component, ComposeError, Part, Plug, World, WorldItem};
use wasmr_core::count::{Count, grouped};
use wasmr_module::Validity;

use crate::cli::json::Json;

/// A component that was decoded for display, with all features on; perhaps composed with plugs.
pub struct ComponentInspection {
    /// Sizes of the component and its plugs together.
    bytes: usize,
    world: World,
    component_instances: usize,
    modules: Vec<CoreModule>,
    /// Imports that plugs provide. `None` if there are no plugs.
    plugs: Option<Vec<Plug>>,
    /// Imports that `wasmr run` does not define, each in a line.
    lacking: Vec<String>,
}

/// A core module within a component.
struct CoreModule {
    /// Name in the component's name section, or the index. That of a plug is in front for one of its modules.
    name: String,
    /// Offset in the file.
    offset: usize,
    bytes: usize,
    features: Vec<Feature>,
}

impl ComponentInspection {
    /// Decodes, validates and composes a component and its plugs, given by bytes and names. Up to `threads` threads validate function
    /// bodies.
    ///
    /// # Errors
    /// The first fault, if a component is not valid even with all features, or the reason why they cannot be composed.
    pub fn new(parts: &[(ModuleBytes, String)], threads: usize) -> Result<ComponentInspection, ComposeError> {
        let features = Features::all();
        let all: Vec<Part<'_>> = parts.iter().map(|(bytes, name)| Part { bytes, name }).collect();
        let mut validity = |_, _| Validity::Unknown { threads };
        let component = Component::compose(&all, &features, &TypeRegistry::new().into(), &mut validity)?;
        let world = World::composed(&all, &features)?;
        let modules = component.modules.iter().filter_map(|module| core_module(&all, module, threads)).collect();
        Ok(ComponentInspection {
            bytes: all.iter().map(|part| part.bytes.as_ref().len()).sum(),
            world,
            component_instances: component.instances.len(),
            modules,
            plugs: (parts.len() > 1).then_some(component.plugs),
            lacking: Vec::new(),
        })
    }

    /// Notes the imports that `wasmr run` does not define.
    pub fn set_lacking(&mut self, lacking: Vec<String>) {
        self.lacking = lacking;
    }

    /// Returns the features that the core modules require.
    fn features(&self) -> Vec<Feature> {
        let is_required = |feature: &Feature| self.modules.iter().any(|module| module.features.contains(feature));
        Feature::ALL.iter().copied().filter(is_required).collect()
    }

    /// Returns imports and exports in the interface language WIT.
    pub fn wit(&self) -> String {
        printable_lines(&self.world.to_string())
    }

    /// Returns the facts as lines.
    pub fn text(&self, file: &str) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(out, "{}: component, {} bytes", printable(file), grouped(self.bytes));
        let names: Vec<&str> = self.features().iter().map(|feature| feature.name()).collect();
        let names = if names.is_empty() { "none beyond WebAssembly 1.0".to_owned() } else { names.join(", ") };
        let _ = writeln!(out, "  required features: {names}");
        let code: usize = self.modules.iter().map(|module| module.bytes).sum();
        let (modules, code) = (Count(self.modules.len(), "core module").grouped(), Count(code, "byte").grouped());
        let instances = Count(self.component_instances, "component instance").grouped();
        let _ = writeln!(out, "  {modules} with {code}, and {instances}");
        if let Some(plugs) = &self.plugs {
            let _ = writeln!(out, "\nimports that plugs provide");
            for plug in plugs {
                let [importer, import, file] = [&plug.importer, &plug.import, &plug.plug].map(|name| printable(name));
                let other = if plug.import == plug.export {
                    String::new()
                } else {
                    format!(", as {}", printable(&plug.export))
                };
                let _ = writeln!(out, "  {import} of {importer}: {file}{other}");
            }
        }
        for (what, items) in [("imports", &self.world.imports), ("exports", &self.world.exports)] {
            if !items.is_empty() {
                let _ = writeln!(out, "\n{what}");
            }
            for item in items {
                lines_of(&mut out, item);
            }
        }
        if !self.lacking.is_empty() {
            let _ = writeln!(out, "\nimports that wasmr run does not define");
            for line in &self.lacking {
                let _ = writeln!(out, "  {line}");
            }
        }
        if !self.modules.is_empty() {
            let _ = writeln!(out, "\ncore modules");
        }
        let width = self.modules.iter().map(|module| printable(&module.name).chars().count()).max().unwrap_or_default();
        for (index, module) in self.modules.iter().enumerate() {
            let (name, bytes) = (printable(&module.name), Count(module.bytes, "byte").grouped());
            let _ = writeln!(out, "  {index:<4} {name:<width$}  {bytes:>17} at {:#x}", module.offset);
        }
        out
    }

    /// Returns the facts as one object. Keys are stable, as those of modules are.
    pub fn json(&self, file: &str) -> Json {
        let feature = |feature: &Feature| {
            Json::Object(vec![("name", feature.name().into()), ("on_by_default", feature.on_by_default().into())])
        };
        let modules = self.modules.iter().map(|module| {
            Json::Object(vec![
                ("name", module.name.as_str().into()),
                ("offset", module.offset.into()),
                ("bytes", module.bytes.into()),
                ("features", module.features.iter().map(feature).collect()),
            ])
        });
        let plug = |plug: &Plug| {
            Json::Object(vec![
                ("importer", (*plug.importer).into()),
                ("import", (*plug.import).into()),
                ("plug", (*plug.plug).into()),
                ("export", (*plug.export).into()),
            ])
        };
        let mut facts = vec![
            ("file", file.into()),
            ("kind", "component".into()),
            ("bytes", self.bytes.into()),
            ("features", self.features().iter().map(feature).collect()),
            ("imports", self.world.imports.iter().map(item_json).collect()),
            ("exports", self.world.exports.iter().map(item_json).collect()),
            ("component_instances", self.component_instances.into()),
            ("core_modules", modules.collect()),
        ];
        if let Some(plugs) = &self.plugs {
            facts.push(("plugs", plugs.iter().map(plug).collect()));
            facts.push(("lacking", self.lacking.iter().map(|line| Json::from(line.as_str())).collect()));
        }
        Json::Object(facts)
    }
}

/// Returns the facts about a core module of one of the parts.
fn core_module(parts: &[Part<'_>], module: &wasmr_module::Module, threads: usize) -> Option<CoreModule> {
    let at = module.bytes().as_ptr().addr();
    let is_in = |part: &&Part<'_>| part.bytes.as_ref().as_ptr_range().contains(&module.bytes().as_ptr());
    let part = parts.iter().find(is_in)?;
    let offset = at - part.bytes.as_ref().as_ptr().addr();
    let bytes = part.bytes.slice(offset..offset + module.bytes().len());
    // The module is valid with all features, so it is with those that it requires.
    let required = Inspection::new(bytes, module.name(), threads).map(|module| module.required_features());
    let own = module.name().strip_prefix(parts[0].name).and_then(|name| name.strip_prefix(':'));
    let name = if part.name == parts[0].name { own.unwrap_or_default() } else { module.name() };
    Some(CoreModule {
        name: name.to_owned(),
        offset,
        bytes: module.bytes().len(),
        features: required.unwrap_or_default(),
    })
}

/// Adds the lines of an import or export: its name, and the functions of an interface.
fn lines_of(out: &mut String, item: &WorldItem) {
    let name = printable(&item.name);
    let _ = match item.kind {
        "interface" => writeln!(out, "  {name}"),
        "function" => writeln!(out, "  {name}: {}", printable(&item.text)),
        "type" => writeln!(out, "  {}", printable(item.text.lines().next().unwrap_or_default())),
        kind => writeln!(out, "  {name}: {kind}"),
    };
    for (name, text) in
        item.members.iter().filter(|(_, text)| text.starts_with("func") || text.starts_with("async func"))
    {
        let _ = writeln!(out, "    {}: {}", printable(name), printable(text));
    }
}

fn item_json(item: &WorldItem) -> Json {
    let member = |(name, text): &(String, String)| {
        Json::Object(vec![("name", name.as_str().into()), ("text", text.as_str().into())])
    };
    Json::Object(vec![
        ("name", item.name.as_str().into()),
        ("kind", item.kind.into()),
        ("text", Some(item.text.as_str()).filter(|text| !text.is_empty()).into()),
        ("members", item.members.iter().map(member).collect()),
    ])
}

/// Returns text with each line escaped.
fn printable_lines(text: &str) -> String {
    text.lines().map(|line| wasmr_module::printable::printable(line, usize::MAX) + "\n").collect()
}
