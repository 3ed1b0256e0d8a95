//! The forms of a function one below the other. Each line starts with the offset in the module of the operator that it came from, so
//! that a reader can follow an operator from form to form.

use std::fmt::Write;

use super::view::{Line, View};
use crate::cli::flags::Form;

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
        let mut before: &[usize] = &[];
        let with_remark = |line| {
            let remark = remark(line, before);
            if section.form == Form::Baseline {
                before = &line.origins;
            }
            (line, remark)
        };
        let shown: Vec<(&Line, String)> = section.lines.iter().map(with_remark).collect();
        let widths = shown.iter().filter(|(_, remark)| !remark.is_empty()).map(|(line, _)| line.text.chars().count());
        let text_width = widths.filter(|&width| width <= MAX_WIDTH).max().unwrap_or(0);
        for (Line { origins, label, text, .. }, remark) in shown {
            let origin = origins.last().map(|offset| format!("{offset:#08x}")).unwrap_or_default();
            let label = if label_width == 0 { String::new() } else { format!("{label:<label_width$}  ") };
            let text = if remark.is_empty() { text.clone() } else { format!("{text:<text_width$}  ; {remark}") };
            line(&mut out, &format!("  {origin:<8}  {label}{text}"));
        }
    }
    out
}

/// Returns the remark after a line, with the further operators that it came from, unless they are `before`: those of the line
/// before.
fn remark(line: &Line, before: &[usize]) -> String {
    let mut out = line.remark.clone();
    if let [others @ .., _] = &line.origins[..]
        && !others.is_empty()
        && line.origins != before
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
