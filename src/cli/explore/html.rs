//! The forms of a function side by side, as one self-contained HTML page. Pointing at a line highlights the lines from the same
//! operators in every column. A click keeps the highlight and scrolls the lines into view.
//!
//! All text from the module is escaped. The page names no other resource, and its content security policy forbids it to load any.

use std::fmt::Write;

use super::view::{Section, View};
use crate::cli::flags::Form;

/// Style sheet of the page.
const STYLE: &str = include_str!("page.css");
/// Script of the page.
const SCRIPT: &str = include_str!("page.js");

/// Returns the page.
pub fn page(view: &View) -> String {
    let title = escaped(&view.title);
    let mut out = String::new();
    // The policy allows the page's own style and script, and nothing else.
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; ",
    );
    out.push_str("script-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n");
    // Writing to a string does not fail.
    let _ =
        write!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n");
    let facts: Vec<String> = view.facts.iter().map(|fact| escaped(fact)).collect();
    let _ = write!(out, "<p>{}</p>\n</header>\n<main>\n", facts.join("<br>"));
    let mut sections = &view.sections[..];
    while let Some((section, rest)) = sections.split_first() {
        out.push_str("<section>\n");
        sections = rest;
        // The two forms of CLIF share a column.
        match sections.split_first() {
            Some((optimized, rest)) if section.form == Form::Clif && optimized.form == Form::Optimized => {
                sections = rest;
                let both = [section, optimized];
                out.push_str("<h2>");
                for (index, section) in both.iter().enumerate() {
                    let pressed = index == 1;
                    let _ = write!(
                        out,
                        "<button type=\"button\" data-form=\"{index}\" aria-pressed=\"{pressed}\">{}</button>",
                        section.form.title()
                    );
                }
                out.push_str("</h2>\n");
                for (index, section) in both.iter().enumerate() {
                    let hidden = if index == 0 { " hidden" } else { "" };
                    let _ = writeln!(out, "<div class=\"form\"{hidden}>");
                    body(&mut out, section);
                    out.push_str("</div>\n");
                }
            }
            _ => {
                let _ = writeln!(out, "<h2>{}</h2>", section.form.title());
                body(&mut out, section);
            }
        }
        out.push_str("</section>\n");
    }
    let _ = write!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// Writes the notes and lines of a form.
fn body(out: &mut String, section: &Section) {
    for note in &section.notes {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escaped(note));
    }
    out.push_str("<div class=\"lines\">\n");
    for line in &section.lines {
        let origins: Vec<String> = line.origins.iter().map(usize::to_string).collect();
        let data = if origins.is_empty() { String::new() } else { format!(" data-o=\"{}\"", origins.join(" ")) };
        let label = match section.form {
            Form::Wasm => line.origins.last().map(|offset| format!("{offset:#x}")).unwrap_or_default(),
            _ => line.label.clone(),
        };
        let label = if label.is_empty() { String::new() } else { format!("<b>{}</b>", escaped(&label)) };
        let remark = if line.remark.is_empty() { String::new() } else { format!("<i>{}</i>", escaped(&line.remark)) };
        let _ = writeln!(out, "<div{data}>{label}<code>{}</code>{remark}</div>", escaped(&line.text));
    }
    out.push_str("</div>\n");
}

/// Escapes a text for use between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::cli::explore::view::Line;

    fn view(text: &str) -> View {
        let line = || Line { origins: vec![7, 9], label: text.into(), text: text.into(), remark: text.into() };
        let section = |form| Section { form, notes: vec![text.into()], lines: vec![line()] };
        View {
            title: text.into(),
            facts: vec![text.into()],
            sections: Form::value_variants().iter().map(|&form| section(form)).collect(),
        }
    }

    #[test]
    fn nothing_from_a_module_becomes_markup() {
        let page = page(&view("</script><img src=x onerror=alert(1)>\"'&"));
        let shown = "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";
        // The title occurs twice, the fact once. Each of the six forms has a note, a text and a remark, and each but wasm a label.
        assert_eq!(page.matches(shown).count(), 3 + 6 * 3 + 5);
        assert!(!page.contains("<img"));
        assert_eq!(page.matches("</script>").count(), 1, "the page's own");
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = page(&view("x"));
        assert!(page.contains("default-src 'none'"));
        for word in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch(", "import("] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn columns_and_origins() {
        let page = page(&view("x"));
        assert_eq!(page.matches("<section>").count(), 5);
        assert_eq!(page.matches("<div data-o=\"7 9\">").count(), 6);
        assert!(
            page.contains("<div class=\"form\" hidden>"),
            "the form before optimisation is hidden until its button is pressed"
        );
        assert!(page.contains("<b>0x9</b><code>x</code>"), "the wasm column shows offsets");
    }
}
