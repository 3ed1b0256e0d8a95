//! `WASMR_LOG`: what wasmr says on standard error about its own work while a program runs. Topics, separated by commas.
//!
//! A line each, with `log: ` in front, written in one piece. Without the variable nothing is prepared and nobody is asked.

use wasmr::symbol::printable;
use wasmr::{Config, Extern, Instance, Store, TierEvent};

use super::explore::name_of;
use super::report;

/// What is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// What is compiled, and what the compiler refuses.
    compile: bool,
    /// Which fast ways this host does not give.
    fallback: bool,
}

/// Switches a topic on.
type Switch = fn(&mut Log);

/// The topics: name, effect.
const TOPICS: &[(&str, Switch)] = &[
    ("compile", |log| log.compile = true),
    ("fallback", |log| log.fallback = true),
    ("all", |log| *log = Log { compile: true, fallback: true }),
];

impl Log {
    /// The topics that the variable's value names.
    pub fn parse(value: &str) -> Result<Log, String> {
        let mut log = Log::default();
        for topic in value.split(',').filter(|topic| !topic.is_empty()) {
            let Some((_, switch)) = TOPICS.iter().find(|(name, _)| *name == topic) else {
                let known: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
                let topic = printable(topic);
                return Err(format!("WASMR_LOG has no topic `{topic}`; the topics are {}", known.join(", ")));
            };
            switch(&mut log);
        }
        Ok(log)
    }

    /// Has an engine say what it compiles, or that it does not.
    pub fn observe(self, config: &mut Config) {
        if self == Log::default() {
            return;
        }
        config.observe(move |event| match event {
            TierEvent::Compiled { module, func, at_loop, time, result } if self.compile => {
                let name = name_of(module, *func).map(|name| format!(" `{name}`")).unwrap_or_default();
                let part = at_loop.map(|offset| format!("the loop at {offset:#x} of ")).unwrap_or_default();
                let what = format!("{part}function {func}{name} of `{}`", printable(module.name()));
                say(&match result {
                    Ok(bytes) => format!("compiled {what}: {bytes} bytes in {time:.1?}"),
                    Err(why) => format!("did not compile {what}: {why}"),
                });
            }
            TierEvent::Unavailable { why } if self.fallback => {
                say(&format!("compiling is paused: {why}"));
            }
            _ => {}
        });
    }

    /// Says which memories of an instance are not reserved.
    pub fn memories<T>(self, store: &Store<T>, instance: Instance) {
        if !self.fallback {
            return;
        }
        for (name, item) in instance.exports(store) {
            let Extern::Memory(memory) = item else { continue };
            if !memory.ty(store).is64 && !memory.is_guarded(store) {
                say(&format!(
                    "memory `{}` of `{}` has a bounds check at every access: the system reserved no address space for it",
                    printable(name),
                    printable(instance.module(store).name())
                ));
            }
        }
    }
}

fn say(line: &str) {
    report::print(&mut std::io::stderr(), &format!("log: {line}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_add_up() {
        assert_eq!(Log::parse("").unwrap(), Log::default());
        assert_eq!(Log::parse("compile,fallback"), Log::parse("all"));
        assert_eq!(Log::parse("fallback").unwrap(), Log { compile: false, fallback: true });
    }

    #[test]
    fn an_unknown_topic_is_named() {
        let why = Log::parse("compile,debug").unwrap_err();
        assert_eq!(why, "WASMR_LOG has no topic `debug`; the topics are compile, fallback, all");
    }
}
