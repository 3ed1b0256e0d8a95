//! A Rust program with what most Rust programs use: arguments, environment, collections, formatting, files, threads
//! refused, and a panic. `rust_hello.wasm [DIR]` works in DIR; `rust_hello.wasm panic` panics.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom, Write};
use std::{env, fs, io};

fn count_words(text: &str) -> BTreeMap<&str, usize> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    counts.into_iter().collect()
}

fn files(dir: &str) -> io::Result<()> {
    let path = format!("{dir}/rust.txt");
    let mut file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    writeln!(file, "{:>8.3}|{:#06x}|{:?}", std::f64::consts::PI, 255, Some("x"))?;
    file.seek(SeekFrom::Start(0))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    print!("file: {text}");
    println!("length: {}", fs::metadata(&path)?.len());
    fs::rename(&path, format!("{dir}/moved.txt"))?;
    let mut names: Vec<String> =
        fs::read_dir(dir)?.map(|e| e.map(|e| e.file_name().to_string_lossy().into_owned())).collect::<Result<_, _>>()?;
    names.sort();
    println!("names: {names:?}");
    fs::remove_file(format!("{dir}/moved.txt"))
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    println!("args: {args:?}");
    println!("GREETING: {:?}", env::var("GREETING").ok());
    println!("words: {:?}", count_words("the cat and the dog and the bird"));
    let mut sorted: Vec<u64> = (0..1000u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).collect();
    sorted.sort_unstable();
    println!("sorted: {} {} {}", sorted[0], sorted[500], sorted[999]);
    match args.first().map(String::as_str) {
        Some("panic") => {
            let nothing: Option<u32> = None;
            nothing.expect("asked to panic");
        }
        Some(dir) => match files(dir) {
            Ok(()) => println!("files: ok"),
            Err(e) => println!("files: {e}"),
        },
        None => {}
    }
}
