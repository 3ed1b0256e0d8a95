//! Function names as people wrote them: Rust and C++ names are demangled, others stay.

/// The longest name that is worth showing.
const MAX_NAME: usize = 200;

/// The readable form of a name from a name section, safe to print on a terminal.
pub fn readable(name: &str) -> String {
    let demangled = if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // The alternate form leaves out the hash at the end.
        format!("{rust:#}")
    } else if name.starts_with("_Z") {
        let symbol = cpp_demangle::Symbol::new(name);
        symbol.ok().and_then(|symbol| symbol.demangle().ok()).unwrap_or_else(|| name.to_string())
    } else {
        name.to_string()
    };
    printable(&demangled)
}

/// Escapes control characters and cuts what is too long.
pub fn printable(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if out.len() >= MAX_NAME {
            out.push('…');
            break;
        }
        match c {
            c if c.is_control() => out.extend(c.escape_unicode()),
            // These change the direction in which their neighbours are shown.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(c.escape_unicode())
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn rust_cpp_and_plain_names() {
        assert_eq!(readable("_ZN4core9panicking5panic17h3f6a0b8f2a1c9d4eE"), "core::panicking::panic");
        assert_eq!(readable("_ZN5Yosys4Pass4callEPNS_5RTLIL6DesignE"), "Yosys::Pass::call(Yosys::RTLIL::Design*)");
        assert_eq!(readable("_Zbroken"), "_Zbroken");
        assert_eq!(readable("main"), "main");
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(readable("a\u{1b}[2J\u{202e}"), "a\\u{1b}[2J\\u{202e}");
        assert!(readable(&"x".repeat(10_000)).len() < 300);
    }
}
