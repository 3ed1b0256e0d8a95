//! Fields of instructions: the bits of each, and the meaning that a row of the table gives them.
//!
//! A row's text names its fields in braces: a place of [`PLACES`] and, after a dot, the kind of value if it is not the usual
//! one of that place. So `{a}` is a slot, `{a.int}` a small constant in the same bits, `{high2.slot}` a slot in the upper half
//! of word 2, and `{d+1}` the slot after `{d}`.
//!
//! Handlers read the same fields with loads of their own width: the methods of
//! [`Machine`](crate::execute::dispatch::Machine).

/// Meaning of a field's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Number of a slot, counted from the frame pointer.
    Slot,
    /// Number of slots.
    Slots,
    /// A signed number.
    Int,
    /// An unsigned number.
    Uint,
    /// A constant whose type the instruction does not know.
    Bits,
    /// An `f32`.
    F32,
    /// An `f64`.
    F64,
    /// 16 lane numbers, in this word and the next one.
    Lanes,
    /// Distance of a jump, in words from the instruction.
    Target,
    /// Offset in the instance of a function, global, table or memory.
    Object,
    /// Number of an engine's type.
    Type,
    /// A number that a branch table adds to its operand.
    Bias,
    /// Distances of a branch table in half words, one more than field `imm` says.
    Table,
    /// The operator of a libcall: its row in word 1, its immediates in word 3.
    Builtin,
    /// Something that the text does not show.
    Hidden,
}

/// Position and meaning of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Word of the instruction; word 0 is the handler.
    pub(crate) word: u8,
    /// First bit in that word.
    pub(crate) shift: u8,
    /// Number of bits.
    pub(crate) bits: u8,
    /// Meaning of the bits.
    pub(crate) kind: Kind,
    /// Number to add to the value.
    pub(crate) plus: i8,
}

/// Names of places: word, first bit, number of bits, usual kind.
#[rustfmt::skip]
const PLACES: [(&str, u8, u8, u8, Kind); 23] = [
    ("d",       1,  0, 16, Kind::Slot),
    ("a",       1, 16, 16, Kind::Slot),
    ("b",       1, 32, 16, Kind::Slot),
    ("x",       1, 48, 16, Kind::Slot),
    ("low",     1,  0, 32, Kind::Uint),
    ("imm",     1, 32, 32, Kind::Int),
    ("to",      1, 32, 32, Kind::Target),
    ("object",  1, 32, 32, Kind::Object),
    ("w1",      1,  0, 64, Kind::Int),
    ("d2",      2,  0, 16, Kind::Slot),
    ("low2",    2,  0, 32, Kind::Int),
    ("high2",   2, 32, 32, Kind::Int),
    ("w2",      2,  0, 64, Kind::Int),
    ("low3",    3,  0, 32, Kind::Int),
    ("high3",   3, 32, 32, Kind::Int),
    ("w3",      3,  0, 64, Kind::Int),
    ("low4",    4,  0, 32, Kind::Int),
    ("high4",   4, 32, 32, Kind::Int),
    ("w4",      4,  0, 64, Kind::Int),
    ("bias",    2,  0, 32, Kind::Bias),
    ("table",   3,  0, 64, Kind::Table),
    ("entry",   2,  0, 64, Kind::Hidden),
    ("builtin", 3,  0, 64, Kind::Builtin),
];

/// Names of kinds.
const KINDS: [(&str, Kind); 11] = [
    ("slot", Kind::Slot),
    ("slots", Kind::Slots),
    ("int", Kind::Int),
    ("uint", Kind::Uint),
    ("bits", Kind::Bits),
    ("f32", Kind::F32),
    ("f64", Kind::F64),
    ("lanes", Kind::Lanes),
    ("object", Kind::Object),
    ("type", Kind::Type),
    ("hidden", Kind::Hidden),
];

impl Field {
    /// Returns the field that a row's text calls `name`.
    pub(crate) fn named(name: &str) -> Option<Field> {
        let (place, kind) = name.split_once('.').map_or((name, None), |(place, kind)| (place, Some(kind)));
        let (place, plus) = place.split_once('+').map_or((place, "0"), |(place, plus)| (place, plus));
        let &(_, word, shift, bits, usual) = PLACES.iter().find(|(name, ..)| *name == place)?;
        let kind = match kind {
            Some(kind) => KINDS.iter().find(|(name, _)| *name == kind)?.1,
            None => usual,
        };
        Some(Field { word, shift, bits, kind, plus: plus.parse().ok()? })
    }

    /// Returns the last word that contains a part of the field; for a table, its first word.
    pub(crate) fn last_word(self) -> usize {
        self.word as usize + usize::from(self.kind == Kind::Lanes)
    }

    /// Returns the field's value in an instruction with these words. Slots, distances and signed numbers are sign-extended.
    pub(crate) fn value(self, words: &[u64]) -> i64 {
        let word = words.get(self.word as usize).copied().unwrap_or(0);
        let left = word << (64 - self.shift - self.bits);
        let value = match self.kind {
            Kind::Slot | Kind::Int | Kind::Target | Kind::Bias => left as i64 >> (64 - self.bits),
            _ => (left >> (64 - self.bits)) as i64,
        };
        value + i64::from(self.plus)
    }
}

/// Returns a word 1 of the fields `d`, `a`, `b` and `x`.
pub(crate) fn fields(d: i16, a: i16, b: i16, x: i16) -> u64 {
    d as u16 as u64 | (a as u16 as u64) << 16 | (b as u16 as u64) << 32 | (x as u16 as u64) << 48
}

/// Returns a word 1 of the fields `d`, `a` and `imm`.
pub(crate) fn fields_imm(d: i16, a: i16, imm: u32) -> u64 {
    d as u16 as u64 | (a as u16 as u64) << 16 | (imm as u64) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_out_of_words() {
        let words = [0, fields(4, -6, 1, -1), 0x5_ffff_fffe];
        let value = |name| Field::named(name).unwrap().value(&words);
        assert_eq!(["d", "a", "b", "x", "d+1"].map(value), [4, -6, 1, -1, 5]);
        assert_eq!(["x.uint", "imm", "imm.uint", "a.int"].map(value), [65535, -65535, 4294901761, -6]);
        assert_eq!(["low2", "high2.slot", "high2", "w2.uint"].map(value), [-2, 5, 5, 0x5_ffff_fffe]);
        assert_eq!(value("w3"), 0, "a word that is not there");
        assert_eq!([Field::named("y"), Field::named("a.colour"), Field::named("a+b")], [None; 3]);
    }

    #[test]
    fn word_1_has_the_fields_that_it_was_made_of() {
        let value = |name, word1| Field::named(name).unwrap().value(&[0, word1]);
        assert_eq!(["d", "a", "b", "x"].map(|name| value(name, fields(1, 2, -3, 4))), [1, 2, -3, 4]);
        assert_eq!(["d", "a", "imm"].map(|name| value(name, fields_imm(-1, 2, -3i32 as u32))), [-1, 2, -3]);
    }
}
