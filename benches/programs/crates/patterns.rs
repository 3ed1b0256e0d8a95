//! Regular expressions by the crate regex: three compiled, and searched for in text. `patterns.wasm [LINES]`.

use regex::Regex;

fn text(lines: usize) -> String {
    let words = ["market", "river", "lantern", "orchard", "harbour", "quarry", "meadow", "bridge", "cellar"];
    let mut numbers = 7u64;
    let mut next = |limit: usize| {
        numbers = numbers.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (numbers >> 33) as usize % limit
    };
    let mut text = String::new();
    for _ in 0..lines {
        for _ in 0..6 {
            let word = words[next(9)];
            text += &match next(12) {
                0 => format!("{word}.{}@{}.example ", next(90), words[next(9)]),
                1 => format!("https://{word}.example/{}?page={} ", words[next(9)], next(500)),
                2 => format!("10.{}.{}.{} ", next(300), next(300), next(300)),
                _ => format!("{word} "),
            };
        }
        text.push('\n');
    }
    text
}

fn main() {
    let lines = std::env::args().nth(1).map_or(1000, |word| word.parse().expect("a number"));
    let text = text(lines);
    for (what, pattern) in [
        ("addresses", r"[\w.+-]+@[\w.-]+\.[\w.-]+"),
        ("links", r"\w+://[^/\s?#]+[^\s?#]+(?:\?[^\s#]*)?(?:#\S*)?"),
        ("numbers", r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"),
    ] {
        let pattern = Regex::new(pattern).expect("the pattern is right");
        let length: usize = pattern.find_iter(&text).map(|found| found.range().len()).sum();
        println!("{} {what}, {length} bytes", pattern.find_iter(&text).count());
    }
}
