//! The forms of a function one below the other. In front of each line is the operator that it came from, by its offset in
//! the module, so that one can follow it from form to form.

use std::fmt::Write;

use super::view::{Line, View};

/// The widest text before remarks; what is longer pushes its own remark only.
const MAX_WIDTH: usize = 56;

/// A function as lines.
pub fn text(view: &View) -> String {
    let mut out = String::new();
    line(&mut out, &view.title);
    for fact in &view.facts {
        line(&mut out, &format!("  {fact}"));
    }
    for section in &view.sections {
        out.push('\n');
        line(&mut out, section.form.title());
        for note in &section.notes {
            line(&mut out, &format!("  ; {note}"));
        }
        let label_width = section.lines.iter().map(|line| line.label.len()).max().unwrap_or(0);
        let widths = section.lines.iter().filter(|line| !remark(line).is_empty());
        let text_width =
            widths.map(|line| line.text.chars().count()).filter(|&width| width <= MAX_WIDTH).max().unwrap_or(0);
        for shown in &section.lines {
            let origin = shown.origins.last().map(|offset| format!("{offset:#08x}")).unwrap_or_default();
            let label = if label_width == 0 { String::new() } else { format!("{:<label_width$}  ", shown.label) };
            let remark = remark(shown);
            let text =
                if remark.is_empty() { shown.text.clone() } else { format!("{:<text_width$}  ; {remark}", shown.text) };
            line(&mut out, &format!("  {origin:<8}  {label}{text}"));
        }
    }
    out
}

/// What is said behind a line: what it is, and which further operators it came from.
fn remark(line: &Line) -> String {
    let mut out = line.remark.clone();
    if let [others @ .., _] = &line.origins[..]
        && !others.is_empty()
    {
        if !out.is_empty() {
            out.push_str("; ");
        }
        out.push_str("and of");
        for other in others {
            // Writing to a string does not fail.
            let _ = write!(out, " {other:#x}");
        }
    }
    out
}

/// One line, without blanks at its end.
fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}
