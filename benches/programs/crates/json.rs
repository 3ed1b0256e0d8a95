//! JSON by serde_json: documents made, written, parsed without types, changed, compared. `json.wasm [DOCUMENTS]`.

use serde_json::{json, Value};

fn main() {
    let documents: u32 = std::env::args().nth(1).map_or(1000, |word| word.parse().expect("a number"));
    let made: Value = (0..documents)
        .map(|id| {
            json!({
                "id": id, "name": format!("n{} \"{}\" \u{e9}", id * 7919 % 1009, id % 7), "share": f64::from(id) / 8.0,
                "tags": ["a", null, id % 2 == 0, id.to_string()], "at": { "x": id, "y": -i64::from(id) },
            })
        })
        .collect();
    let text = made.to_string();
    let mut parsed: Value = serde_json::from_str(&text).expect("it was written so");
    let same = parsed == made;
    for document in parsed.as_array_mut().expect("an array") {
        document["tags"][1] = document["at"]["x"].clone();
        document.as_object_mut().expect("an object").remove("name");
    }
    let indented = serde_json::to_string_pretty(&parsed).expect("a string takes all");
    println!("{} bytes, {same}, {} bytes", text.len(), indented.len());
}
