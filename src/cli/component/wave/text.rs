//! [`Scanner`]: a position in a text of WAVE.

use std::fmt;

/// The reason why a text is not a value of a type.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Fault {
    /// The reason.
    pub(in super::super) why: String,
    /// Byte offset in the text.
    pub(in super::super) at: usize,
    /// Steps from the value to the part with the fault, the last first.
    path: Vec<String>,
}

impl Fault {
    /// Returns the fault with one more step of the path, outside those that it has.
    pub(super) fn within(mut self, step: impl fmt::Display) -> Fault {
        self.path.push(step.to_string());
        self
    }

    /// Returns the path from the value to the part with the fault, such as `.mode[3]`.
    pub(in super::super) fn path(&self) -> String {
        self.path.iter().rev().map(String::as_str).collect()
    }
}

/// A position in a text.
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Scanner<'t> {
        Scanner { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Moves back to a position that [`at`](Scanner::at) returned.
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn fault(&self, why: impl Into<String>) -> Fault {
        Fault { why: why.into(), at: self.at, path: Vec::new() }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Skips blanks and comments. Returns the next character.
    pub(super) fn peek(&mut self) -> Option<char> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.at += blank;
            if !self.rest().starts_with("//") {
                return self.rest().chars().next();
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    /// Skips a character if it is the next one. Returns true if it was.
    pub(super) fn eat(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.at += wanted.len_utf8();
        }
        is_next
    }

    /// Skips a character, which must be the next one.
    pub(super) fn expect(&mut self, wanted: char, of: &str) -> Result<(), Fault> {
        if self.eat(wanted) { Ok(()) } else { Err(self.unexpected(&format!("`{wanted}`{of}"))) }
    }

    /// Returns the fault that something else stands where `wanted` should.
    pub(super) fn unexpected(&mut self, wanted: &str) -> Fault {
        let found = match self.peek() {
            None => "the end".to_string(),
            Some(first) => {
                let length = word_length(self.rest()).max(first.len_utf8());
                format!("`{}`", &self.rest()[..length])
            }
        };
        self.fault(format!("expected {wanted}, found {found}"))
    }

    /// Skips blanks and a word: letters, digits and what occurs in numbers and labels. Returns it, empty if there is none.
    pub(super) fn word(&mut self) -> &'t str {
        self.peek();
        let rest = self.rest();
        let length = word_length(rest);
        self.at += length;
        &rest[..length]
    }

    /// Reads a character in quotes.
    pub(super) fn quoted_char(&mut self) -> Result<char, Fault> {
        let wanted = "a character in single quotes";
        if !self.eat('\'') {
            return Err(self.unexpected(wanted));
        }
        let found = self.char_or_escape('\'')?.ok_or_else(|| self.fault("there is no character between the quotes"))?;
        match self.rest().starts_with('\'') {
            true => self.at += 1,
            false => return Err(self.fault("expected `'` after one character; a string has double quotes")),
        }
        Ok(found)
    }

    /// Reads a string in quotes.
    pub(super) fn quoted_string(&mut self) -> Result<String, Fault> {
        if !self.eat('"') {
            return Err(self.unexpected("a string in double quotes"));
        }
        if let Some(rest) = self.rest().strip_prefix("\"\"") {
            let line = rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n"));
            if let Some(lines) = line {
                self.at = self.text.len() - lines.len();
                return self.lines();
            }
        }
        let mut string = String::new();
        while let Some(next) = self.char_or_escape('"')? {
            string.push(next);
        }
        self.at += 1;
        Ok(string)
    }

    /// Reads the lines of a string up to three quotes on a line of their own. As many blanks as stand before those are left out at the
    /// start of each line.
    fn lines(&mut self) -> Result<String, Fault> {
        let begin = self.at;
        let end = self.rest().find("\"\"\"").ok_or_else(|| self.fault("the string has no closing `\"\"\"`"))? + begin;
        let body = &self.text[begin..end];
        let (body, indent) = body.rsplit_once('\n').unwrap_or(("", body));
        if indent.contains(|c| c != ' ') {
            self.at = end;
            return Err(self.fault("`\"\"\"` at the end of a string of lines stands on a line of its own"));
        }
        let mut string = String::new();
        for (index, line) in body.split('\n').enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let Some(line) = line.strip_prefix(indent) else {
                return Err(self.fault(format!("line {} of the string is indented less than its end", index + 1)));
            };
            if index > 0 {
                string.push('\n');
            }
            let mut scanner = Scanner::new(line);
            while scanner.at < line.len() {
                let next = scanner.char_or_escape('\n').map_err(|fault| Fault { at: self.at, ..fault })?;
                string.extend(next);
            }
        }
        self.at = end + 3;
        Ok(string)
    }

    /// Reads a character or an escape. Returns `None` before the closing `quote`, which is not skipped.
    fn char_or_escape(&mut self, quote: char) -> Result<Option<char>, Fault> {
        let Some(next) = self.rest().chars().next() else {
            return Err(self.fault(format!("the closing `{quote}` is missing")));
        };
        if next == quote {
            return Ok(None);
        }
        if next == '\n' {
            return Err(self.fault("a line feed in quotes is written `\\n`"));
        }
        if next != '\\' {
            self.at += next.len_utf8();
            return Ok(Some(next));
        }
        let escape = &self.rest()[1..];
        let simple = escape.chars().next().and_then(|c| match c {
            '\'' | '"' | '\\' => Some(c),
            't' => Some('\t'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            _ => None,
        });
        if let Some(simple) = simple {
            self.at += 2;
            return Ok(Some(simple));
        }
        let digits = escape.strip_prefix("u{").and_then(|rest| rest.split_once('}')).map(|(digits, _)| digits);
        let scalar = digits
            .filter(|digits| digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, digits.len())));
        let Some((scalar, digits)) = scalar else {
            let known = r#"`\n`, `\r`, `\t`, `\\`, `\"`, `\'` and `\u{1f44b}`"#;
            return Err(self.fault(format!("unknown escape; the escapes are {known}")));
        };
        self.at += 1 + "u{}".len() + digits;
        Ok(Some(scalar))
    }
}

/// Returns the length in bytes of the word at the start of a text.
fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || "-+._%".contains(c))).unwrap_or(text.len())
}
