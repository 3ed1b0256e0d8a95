//! Tests of the instruction tables.

use std::collections::BTreeMap;

use super::locations::{Dst, In};
use super::*;

#[test]
fn every_text_names_fields_that_exist() {
    let mut count = 0;
    for (_, instr) in Instr::all() {
        let text = instr.text();
        assert!(!text.contains('$'), "{text}");
        assert!(parts(&text).all(|part| !matches!(part, Part::Words(words) if words.contains(['{', '}']))), "{text}");
        count += 1;
    }
    assert!(count > 2000, "only {count} instructions");
}

#[test]
fn merged_handlers_have_one_length() {
    let mut lengths: BTreeMap<u64, (Length, String)> = BTreeMap::new();
    for (handler, instr) in Instr::all() {
        let entry = (instr.length(), instr.text().into_owned());
        let (length, text) = lengths.entry(handler_word(handler)).or_insert(entry);
        assert_eq!(*length, instr.length(), "`{text}` and `{}` have one handler", instr.text());
    }
}

#[test]
fn an_address_leads_back_to_its_instructions() {
    for (handler, instr) in Instr::all() {
        assert!(with_handler(handler_word(handler)).any(|found| found == instr), "{instr:?}");
    }
    assert_eq!(with_handler(1).count(), 0);
}

#[test]
fn lengths_follow_from_the_fields() {
    let word = |handler| handler_word(handler);
    let length = |code: &[u64]| length(code).unwrap();
    assert_eq!(length(&[word(handler(ReturnPlain, ())), 0]), 2);
    assert_eq!(length(&[word(handler(Binary(Op::F64Add), (locations::Form::SlotImm, Dst::Slot)))]), 3);
    assert_eq!(length(&[word(handler(ConstantV128, ()))]), 4);
    assert_eq!(length(&[word(handler(MemoryFill, ()))]), 5);
    for (count, words) in [(0u64, 4), (1, 4), (2, 5), (3, 5), (4, 6)] {
        assert_eq!(length(&[word(handler(BrTable, In::Acc)), count << 32]), words, "{count} entries and the default");
    }
}

#[test]
fn boundaries_are_found_by_length() {
    let word = |handler| handler_word(handler);
    let table = [word(handler(BrTable, In::Slot)), 2 << 32, 0, 0, 0];
    let code = [&table[..], &[word(handler(ConstantWide, ())), 0, 1], &[word(handler(ReturnPlain, ())), 0]].concat();
    assert_eq!(boundaries(&code, 0).collect::<Vec<_>>(), [0, 5, 8]);
    assert_eq!(boundaries(&code, 5).collect::<Vec<_>>(), [5, 8]);
    assert_eq!(boundaries(&code, 10).count(), 0);
    assert_eq!(boundaries(&[1, 2, 3], 0).collect::<Vec<_>>(), [0], "nothing is known of what follows");
}
