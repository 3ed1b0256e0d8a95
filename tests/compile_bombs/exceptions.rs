//! Hostile shapes of exceptions: a hundred thousand nested handlers, throws, clauses and delegates, and payloads of a thousand
//! values. Whatever a tier does with them, the program ends in time, with little memory, and as the specification says.

use crate::{MOST_RESIDENT, each, run_with, thousand};

const MANY: usize = 100_000;

/// The options of each way to execute.
const WAYS: [(&str, &[&str]); 4] = [
    ("interp", &["--mode", "interp", "-O", "baseline=n"]),
    ("baseline", &["--mode", "interp", "-O", "baseline-after=0"]),
    ("jit", &["--mode", "jit"]),
    ("at once", &["--mode", "tiered", "-O", "tier-up-after=0"]),
];

/// Runs a function with this body in every mode, so that nothing is thrown, and so that something is thrown and caught.
///
/// `$throw` throws `$number` if its argument is not 0.
#[track_caller]
fn survives(name: &str, declarations: &str, body: &str) {
    let text = format!(
        "(module {declarations} (tag $none) (tag $number (param i32))
        (func $throw (param i32) (if (local.get 0) (then (throw $number (local.get 0)))))
        (func (export \"bomb\") (param i32) {body}))"
    );
    for (way, options) in WAYS {
        for argument in ["0", "7"] {
            let options = [options, &["-W", "legacy-exceptions"]].concat();
            let (peak, _) = run_with(&format!("{name}-{way}-{argument}"), &text, &options, argument);
            assert!(peak < MOST_RESIDENT, "{name}, {way}: {} MiB", peak >> 20);
        }
    }
}

fn many(text: &str) -> String {
    text.repeat(MANY)
}

#[test]
fn nested_handlers_that_catch() {
    let body = format!("block {} (call $throw (local.get 0)) {} end", many("try_table (catch_all 0) "), many("end "));
    survives("nested-catching", "", &body);
}

#[test]
fn nested_handlers_that_do_not_catch() {
    // Only the outermost handler has a clause for the tag.
    let nested = many("try_table (catch $none 0) ");
    for (name, throw) in [
        ("nested-call", "(call $throw (local.get 0))"),
        ("nested-throw", "(if (local.get 0) (then (throw $number (local.get 0))))"),
    ] {
        let body = format!("block try_table (catch_all 0) {nested} {throw} {} end end", many("end "));
        survives(name, "", &body);
    }
}

#[test]
fn nested_legacy_handlers() {
    let call = "(call $throw (local.get 0))";
    survives("legacy-nested", "", &format!("{} {call} {}", many("try "), many("catch_all end ")));
    let rethrowing = many("catch_all rethrow 0 end ");
    survives("legacy-rethrow", "", &format!("try {} {call} {rethrowing} catch_all end", many("try ")));
}

#[test]
fn legacy_delegates() {
    let call = "(call $throw (local.get 0))";
    survives("delegate-near", "", &format!("try {} {call} {} catch_all end", many("try "), many("delegate 0 ")));
    let far = each(MANY, |n| format!("delegate {}", MANY - 1 - n));
    survives("delegate-far", "", &format!("try {} {call} {far} catch_all end", many("try ")));
}

#[test]
fn a_deep_rethrow() {
    const DEPTH: usize = 20_000;
    let body = format!(
        "try {} (call $throw (local.get 0)) rethrow {} {} catch_all end",
        "try (throw $none) catch_all ".repeat(DEPTH),
        DEPTH - 1,
        "end ".repeat(DEPTH)
    );
    survives("rethrow-deep", "", &body);
}

#[test]
fn throws_in_one_function() {
    let throws = many("(if (i32.eq (local.get 0) (i32.const 7)) (then (throw $none))) ");
    survives("throws", "", &format!("block try_table (catch_all 0) {throws} end end"));
    let caught = "block (result exnref) try_table (catch_all_ref 0)";
    survives("throws-reference", "", &format!("{caught} {throws} end (return) end drop"));
    let calls = many("(call $throw (local.get 0)) ");
    survives("throwing-calls", "", &format!("block try_table (catch_all 0) {calls} end end"));
}

#[test]
fn clauses_of_one_handler() {
    // The validator allows 10,000 clauses.
    const CLAUSES: usize = 9_999;
    let tags = each(CLAUSES, |n| format!("(tag $t{n} (export \"t{n}\"))"));
    for (name, clauses) in [
        ("clauses-one-tag", "(catch $none 0) ".repeat(CLAUSES)),
        ("clauses-all", "(catch_all 0) ".repeat(CLAUSES)),
        ("clauses-tags", each(CLAUSES, |n| format!("(catch $t{n} 0)"))),
    ] {
        let calls = "(call $throw (local.get 0)) ".repeat(1000);
        let body = format!("block try_table (catch_all 0) block try_table {clauses} {calls} end end end end");
        survives(name, &tags, &body);
    }
}

#[test]
fn payloads_of_a_thousand_values() {
    let tag = format!("(tag $large (param {}))", thousand("i32 "));
    let (values, drops) = (thousand("(i32.const 1) "), thousand("drop "));
    let throws = format!("(if (local.get 0) (then {values} throw $large)) ").repeat(100);
    let results = format!("(result {})", thousand("i32 "));
    survives("payload", &tag, &format!("block {results} try_table (catch $large 0) {throws} end (return) end {drops}"));
    let handlers =
        format!("block {results} try_table (catch $large 0) (call $throw (i32.const 0)) end (return) end {drops} ");
    survives("payload-handlers", &tag, &handlers.repeat(300));
    let clauses = "(catch $large 0) ".repeat(9_999);
    survives(
        "payload-clauses",
        &tag,
        &format!("block {results} try_table {clauses} {throws} end (return) end {drops}"),
    );
}
