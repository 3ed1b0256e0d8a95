//! A table as comma-separated values: written, parsed with quoted fields, summed up by the crate csv. `csv_rows.wasm [ROWS]`.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord, Writer};

fn main() {
    let rows: u32 = std::env::args().nth(1).map_or(2000, |word| word.parse().expect("a number"));
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(["id", "name", "share", "note"]).expect("a vector takes all");
    for id in 0..rows {
        let row = [
            id.to_string(),
            format!("n{}", id * 7919 % 1009),
            format!("{}.{:02}", id % 71, id % 100),
            if id % 5 == 0 { format!("\"quoted\", line {id}\nand another") } else { String::from("plain") },
        ];
        writer.write_record(&row).expect("a vector takes all");
    }
    let text = writer.into_inner().expect("a vector takes all");
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    let (mut notes, mut row) = (0, StringRecord::new());
    let mut reader = ReaderBuilder::new().from_reader(&*text);
    while reader.read_record(&mut row).expect("the table is right") {
        *sums.entry(row[1][..2].to_owned()).or_insert(0.0) += row[2].parse::<f64>().expect("a number");
        notes += row[3].len();
    }
    println!("{} bytes, {notes} of notes", text.len());
    for (name, sum) in sums {
        println!("{name} {sum:.2}");
    }
}
