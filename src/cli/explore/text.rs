//! The forms of a function one below the other. Each line starts with the offset in the module of the operator that it came from, so
//! that a reader can follow an operator from form to form.

use std::fmt::Write;

use super::view::{Line, View};

/// Maximum width of the text before remarks. A longer text moves only its own remark.
const MAX_WIDTH: usize = 56;

/// Returns the lines of a function.
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

/// Returns the remark after a line, with the further operators that the line came from.
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

/// Adds a line, without blanks at its end.
fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}
