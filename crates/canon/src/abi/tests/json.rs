//! [`Json`]: a reader of the JSON that the vectors are written in: integers, text without escapes, arrays, objects and `null`.

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Json {
    Null,
    Number(i128),
    Text(String),
    Items(Vec<Json>),
    Fields(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text.
    pub(super) fn parse(text: &str) -> Json {
        let mut rest = text.trim();
        let value = read(&mut rest);
        assert!(rest.trim().is_empty(), "after the end: {rest}");
        value
    }

    pub(super) fn find(&self, name: &str) -> Option<&Json> {
        let Json::Fields(fields) = self else { panic!("no object: {self:?}") };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    pub(super) fn get(&self, name: &str) -> &Json {
        self.find(name).unwrap_or_else(|| panic!("no field {name}: {self:?}"))
    }

    pub(super) fn items(&self) -> &[Json] {
        let Json::Items(items) = self else { panic!("no array: {self:?}") };
        items
    }

    pub(super) fn text(&self) -> &str {
        let Json::Text(text) = self else { panic!("no text: {self:?}") };
        text
    }

    pub(super) fn number(&self) -> i128 {
        let Json::Number(number) = self else { panic!("no number: {self:?}") };
        *number
    }

    /// Returns the value unless it is `null`.
    pub(super) fn present(&self) -> Option<&Json> {
        (!matches!(self, Json::Null)).then_some(self)
    }
}

fn skip(rest: &mut &str, what: char) -> bool {
    *rest = rest.trim_start();
    match rest.strip_prefix(what) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn text(rest: &mut &str) -> String {
    assert!(skip(rest, '"'));
    let (text, after) = rest.split_once('"').expect("a text ends");
    *rest = after;
    text.to_owned()
}

fn read(rest: &mut &str) -> Json {
    if skip(rest, '[') {
        let mut items = Vec::new();
        while !skip(rest, ']') {
            items.push(read(rest));
            skip(rest, ',');
        }
        return Json::Items(items);
    }
    if skip(rest, '{') {
        let mut fields = Vec::new();
        while !skip(rest, '}') {
            let name = text(rest);
            assert!(skip(rest, ':'));
            fields.push((name, read(rest)));
            skip(rest, ',');
        }
        return Json::Fields(fields);
    }
    if rest.starts_with('"') {
        return Json::Text(text(rest));
    }
    if let Some(after) = rest.strip_prefix("null") {
        *rest = after;
        return Json::Null;
    }
    let end = rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, after) = rest.split_at(end);
    *rest = after;
    Json::Number(number.parse().unwrap_or_else(|_| panic!("no number: {number:?} before {after:.20}")))
}
