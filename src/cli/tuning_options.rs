//! `-O key[=value],…`: settings that change only speed, the fields of [`Tuning`].

use wasmr::Tuning;

use super::option_keys::{KeyedOptions, OptionKey, Setter};

/// Upper bound of `compile-threads`, more than the processors of any machine.
const MAX_THREADS: u64 = 256;

impl KeyedOptions for Tuning {
    const LETTER: char = 'O';
    const KEYS: &'static [OptionKey<Tuning>] = &[
        OptionKey(
            "baseline",
            Setter::Switch(|tuning, on| tuning.baseline = on),
            "Give frequently interpreted functions machine code of the baseline compiler [default: y]",
        ),
        OptionKey(
            "baseline-after",
            Setter::Count(|tuning, count| tuning.baseline_after = saturating(count)),
            "Profile samples after which a small function gets baseline code; 0 compiles before its first call, 1 also without samples in programs that run for long [default: 1]",
        ),
        OptionKey(
            "sample-every",
            Setter::Count(|tuning, count| tuning.sample_every = saturating(count)),
            "Calls and loop iterations from one profile sample to the next [default: 1021]",
        ),
        OptionKey(
            "tier-up-after",
            Setter::Count(|tuning, count| tuning.tier_up_after = saturating(count)),
            "Profile samples after which a function or loop is compiled; 0 compiles all code before it runs [default: 2]",
        ),
        OptionKey(
            "bytes-per-sample",
            Setter::Count(|tuning, count| tuning.bytes_per_sample = saturating(count)),
            "Bytes of function body that each profile sample pays for; fewer if the function takes a small part of the time [default: 27]",
        ),
        OptionKey(
            "tier-up-delay",
            Setter::Time(|tuning, time| tuning.tier_up_delay = time),
            "Time before the first compilation, from the first profile sample [default: 12ms]",
        ),
        OptionKey(
            "dual-entry-from",
            Setter::Size(|tuning, bytes| tuning.dual_entry_from = usize::try_from(bytes).unwrap_or(usize::MAX)),
            "Size from which a function is compiled once, entered at its start and its hottest loop [default: 4KiB]",
        ),
        OptionKey(
            "max-compiled-size",
            Setter::Size(|tuning, bytes| tuning.max_compiled_size = usize::try_from(bytes).unwrap_or(usize::MAX)),
            "Size up to which a function is compiled; larger ones stay interpreted [default: 256KiB]",
        ),
        OptionKey(
            "gc-stress",
            Setter::Switch(|tuning, on| tuning.gc_stress = on),
            "Collect garbage at each allocation and overwrite freed objects, for tests of wasmr [default: n]",
        ),
        OptionKey(
            "compile-threads",
            Setter::Count(|tuning, count| tuning.compile_threads = Some(count.min(MAX_THREADS) as usize)),
            "Compiler threads [default: one less than the processors, at least 1]",
        ),
    ];
}

/// Returns the count, saturated to 32 bits. The largest value is as good as no limit.
fn saturating(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::option_keys::{parse, tests::parse_one};

    #[test]
    fn keys_change_what_they_name() {
        let tuning: Tuning = parse_one("baseline=n,baseline-after=7").unwrap();
        assert_eq!((tuning.baseline, tuning.baseline_after), (false, 7));
        let tuning: Tuning = parse_one("baseline=n,baseline").unwrap();
        assert!(tuning.baseline);
        let tuning: Tuning = parse_one(
            "sample-every=9,tier-up-after=0,bytes-per-sample=5,tier-up-delay=1s,max-compiled-size=1KiB,dual-entry-from=2KiB,\
             compile-threads=99999999999",
        )
        .unwrap();
        assert_eq!((tuning.sample_every, tuning.tier_up_after, tuning.bytes_per_sample), (9, 0, 5));
        assert_eq!(tuning.tier_up_delay.as_secs(), 1);
        assert_eq!((tuning.max_compiled_size, tuning.dual_entry_from), (1024, 2048));
        assert_eq!(tuning.compile_threads, Some(256));
        assert_eq!(parse::<Tuning>(&[]).unwrap().baseline_after, Tuning::default().baseline_after);
        assert_eq!(parse_one::<Tuning>("sample-every=1e12").unwrap().sample_every, u32::MAX);
    }

    #[test]
    fn the_optimisation_level_of_others_cannot_be_0() {
        assert!(parse_one::<Tuning>("opt-level=2").is_ok() && parse_one::<Tuning>("opt-level=0").is_err());
    }

    /// A default that changes must change in the help text too.
    #[test]
    fn defaults_in_the_help_are_those_of_the_library() {
        let help = parse_one::<Tuning>("help").unwrap_err();
        let defaults = help.lines().filter_map(|line| {
            let key = line.split_whitespace().next()?.split(['=', '[']).next()?;
            let (_, default) = line.rsplit_once("[default: ")?;
            // A default in words is no value.
            (key != "compile-threads").then(|| format!("{key}={}", default.trim_end_matches(']')))
        });
        let defaults: Vec<String> = defaults.collect();
        assert_eq!(defaults.len(), Tuning::KEYS.len() - 1, "{help}");
        let tuning = parse::<Tuning>(&defaults).unwrap();
        assert_eq!(format!("{tuning:?}"), format!("{:?}", Tuning::default()));
    }
}
