//! Facts as JSON for tools. Keys are stable: new ones may be added, none changes its meaning.

use super::facts::{Detail, Facts, Object, Port, Segments};
use crate::cli::json::Json;

/// Returns the facts as one object.
pub fn json(facts: &Facts<'_>) -> Json {
    let Facts { functions, .. } = facts;
    let features = facts.features.iter().map(|feature| {
        Json::Object(vec![("name", feature.name().into()), ("on_by_default", feature.on_by_default().into())])
    });
    let largest = functions.largest.iter().map(|func| {
        Json::Object(vec![("index", func.index.into()), ("name", func.name.into()), ("bytes", func.bytes.into())])
    });
    let sections = facts.sections.iter().map(|section| {
        Json::Object(vec![
            ("kind", section.kind.into()),
            ("name", section.name.into()),
            ("offset", section.offset.into()),
            ("bytes", section.bytes.into()),
            ("items", section.items.into()),
        ])
    });
    let producers = facts.producers.iter().map(|tool| {
        Json::Object(vec![("field", tool.field.into()), ("name", tool.name.into()), ("version", tool.version.into())])
    });
    Json::Object(vec![
        ("file", facts.file.as_str().into()),
        ("name", facts.name.into()),
        ("bytes", facts.bytes.into()),
        ("features", features.collect()),
        ("refusal", facts.refusal.as_deref().into()),
        ("types", facts.types.iter().map(|ty| ty.text.as_str()).collect()),
        ("type_names", facts.types.iter().map(|ty| Json::from(ty.name)).collect()),
        ("imports", facts.imports.iter().map(port).collect()),
        ("exports", facts.exports.iter().map(port).collect()),
        (
            "functions",
            Json::Object(vec![
                ("imported", functions.imported.into()),
                ("defined", functions.defined.into()),
                ("code_bytes", functions.code_bytes.into()),
                ("start", functions.start.into()),
                ("largest", largest.collect()),
            ]),
        ),
        ("memories", objects(&facts.memories)),
        ("tables", objects(&facts.tables)),
        ("globals", objects(&facts.globals)),
        ("tags", objects(&facts.tags)),
        ("elements", segments(&facts.elements, "items")),
        ("data", segments(&facts.data, "bytes")),
        ("sections", sections.collect()),
        ("producers", producers.collect()),
    ])
}

fn port(port: &Port<'_>) -> Json {
    let mut fields = Vec::new();
    if let Some(module) = port.module {
        fields.push(("module", module.into()));
    }
    fields.extend([
        ("name", port.name.into()),
        ("kind", port.kind.into()),
        ("index", port.index.into()),
        ("type", port.ty.as_str().into()),
    ]);
    Json::Object(fields)
}

fn objects(objects: &[Object<'_>]) -> Json {
    let object = |(index, object): (usize, &Object<'_>)| {
        let mut fields: Vec<(&'static str, Json)> = vec![
            ("index", index.into()),
            ("name", object.name.into()),
            ("imported", object.imported.into()),
            ("type", object.ty.as_str().into()),
        ];
        match &object.detail {
            Detail::Sized { min, max, is64, shared, page_size, element } => {
                fields.extend([("min", (*min).into()), ("max", (*max).into())]);
                fields.push(("index_type", if *is64 { "i64" } else { "i32" }.into()));
                match element {
                    Some(element) => fields.push(("element", element.as_str().into())),
                    None => fields.extend([("shared", (*shared).into()), ("page_size", (*page_size).into())]),
                }
            }
            Detail::Global { content, mutable } => {
                fields.extend([("content", content.as_str().into()), ("mutable", (*mutable).into())]);
            }
            Detail::Tag => {}
        }
        Json::Object(fields)
    };
    objects.iter().enumerate().map(object).collect()
}

fn segments(segments: &Segments, size: &'static str) -> Json {
    Json::Object(vec![("segments", segments.count.into()), (size, segments.size.into())])
}
