//! Markdown to HTML by pulldown-cmark. `markdown.wasm [ROUNDS]`: the article beside, so many times over in one document.

use pulldown_cmark::{html, Options, Parser};

fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(10, |word| word.parse().expect("a number"));
    let text = include_str!("../article.md").repeat(rounds);
    let mut page = String::new();
    html::push_html(&mut page, Parser::new_ext(&text, Options::all()));
    let sum = page.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    println!("{} bytes, {} paragraphs, {sum:08x}", page.len(), page.matches("<p>").count());
}
