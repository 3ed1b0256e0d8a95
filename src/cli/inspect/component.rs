//! `wasmr inspect` of a component: its imports and exports, and the core modules within it, as text, as JSON or as WIT.

use std::fmt::Write;

use wasmr::symbol::printable;
use wasmr::{Feature, Features, Inspection, ModuleBytes, TypeRegistry};
use wasmr_component::{Component, ComponentError, World, WorldItem};
use wasmr_core::count::{Count, grouped};
use wasmr_module::Validity;

use crate::cli::json::Json;

/// A component that was decoded for display, with all features on.
pub struct ComponentInspection {
    bytes: usize,
    world: World,
    component_instances: usize,
    modules: Vec<CoreModule>,
}

/// A core module within a component.
struct CoreModule {
    /// Name in the component's name section, or the index.
    name: String,
    offset: usize,
    bytes: usize,
    features: Vec<Feature>,
}

impl ComponentInspection {
    /// Decodes and validates a component. Up to `threads` threads validate function bodies.
    ///
    /// # Errors
    /// The first fault, if the component is not valid even with all features.
    pub fn new(bytes: &ModuleBytes, name: &str, threads: usize) -> Result<ComponentInspection, ComponentError> {
        let features = Features::all();
        let validity = |_| Validity::Unknown { threads };
        let component = Component::new(bytes, name, &features, &TypeRegistry::new().into(), &mut { validity })?;
        let world = World::new(bytes, name, &features)?;
        let start = bytes.as_ref().as_ptr().addr();
        let modules = component.modules.iter().map(|module| {
            let offset = module.bytes().as_ptr().addr() - start;
            let part = bytes.slice(offset..offset + module.bytes().len());
            // The module is valid with all features, so it is with those that it requires.
            let required = Inspection::new(part, module.name(), threads).map(|module| module.required_features());
            CoreModule {
                name: module.name().strip_prefix(name).and_then(|name| name.strip_prefix(':')).unwrap_or("").to_owned(),
                offset,
                bytes: module.bytes().len(),
                features: required.unwrap_or_default(),
            }
        });
        let modules = modules.collect();
        let component_instances = component.instances.len();
        Ok(ComponentInspection { bytes: bytes.as_ref().len(), world, component_instances, modules })
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
        for (what, items) in [("imports", &self.world.imports), ("exports", &self.world.exports)] {
            if !items.is_empty() {
                let _ = writeln!(out, "\n{what}");
            }
            for item in items {
                lines_of(&mut out, item);
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
        Json::Object(vec![
            ("file", file.into()),
            ("kind", "component".into()),
            ("bytes", self.bytes.into()),
            ("features", self.features().iter().map(feature).collect()),
            ("imports", self.world.imports.iter().map(item_json).collect()),
            ("exports", self.world.exports.iter().map(item_json).collect()),
            ("component_instances", self.component_instances.into()),
            ("core_modules", modules.collect()),
        ])
    }
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
