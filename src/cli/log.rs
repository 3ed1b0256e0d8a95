//! `WASMR_LOG`: messages on standard error about wasmr's own work while a program runs. The value lists topics, separated by commas.
//!
//! Each message is one line that starts with `log: `, written at once. Without the variable, the engine has no observer.

use wasmr::symbol::printable;
use wasmr::{Config, Extern, Instance, Store, TierEvent};

use super::explore::name_of;
use super::report;

/// The topics to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Compilations and compile errors.
    compile: bool,
    /// Fast paths that this host does not support.
    fallback: bool,
    /// Use of the cache.
    cache: bool,
}

/// Function that switches a topic on.
type Switch = fn(&mut Log);

/// The topics: name, effect.
const TOPICS: &[(&str, Switch)] = &[
    ("compile", |log| log.compile = true),
    ("fallback", |log| log.fallback = true),
    ("cache", |log| log.cache = true),
    ("all", |log| *log = Log { compile: true, fallback: true, cache: true }),
];

impl Log {
    /// Parses the value of the variable.
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

    /// Makes an engine log its compilations, or the reason why it does not compile.
    pub fn observe(self, config: &mut Config) {
        if self == Log::default() {
            return;
        }
        config.observe(move |event| match event {
            TierEvent::Compiled { module, func, at_loop, also_at_loop, time, result } if self.compile => {
                let name = name_of(module, *func).map(|name| format!(" `{name}`")).unwrap_or_default();
                let part = at_loop.map(|offset| format!("the loop at {offset:#x} of ")).unwrap_or_default();
                let what = format!("{part}function {func}{name} of `{}`", printable(module.name()));
                say(&match result {
                    Ok(bytes) => {
                        let entry = also_at_loop.map(|offset| format!(", with an entry at the loop at {offset:#x}"));
                        format!("compiled {what}{}: {bytes} bytes in {time:.1?}", entry.unwrap_or_default())
                    }
                    Err(why) => format!("did not compile {what}: {why}"),
                });
            }
            TierEvent::Unavailable { why } if self.fallback => {
                say(&format!("compiling is paused: {why}"));
            }
            _ => {}
        });
    }

    /// Logs the reason why a run has no cache.
    pub fn no_cache(self, why: &str) {
        if self.cache {
            say(&format!("no cache: {why}"));
        }
    }

    /// Logs the exported memories of an instance that are not guard-paged.
    pub fn memories<T>(self, store: &Store<T>, instance: Instance) {
        if !self.fallback {
            return;
        }
        for (name, item) in instance.exports(store) {
            let Extern::Memory(memory) = item else { continue };
            if memory.ty(store).may_be_guarded() && !memory.is_guarded(store) {
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
        assert_eq!(Log::parse("compile,fallback,cache"), Log::parse("all"));
        assert_eq!(Log::parse("fallback").unwrap(), Log { fallback: true, ..Log::default() });
    }

    #[test]
    fn an_unknown_topic_is_named() {
        let why = Log::parse("compile,debug").unwrap_err();
        assert_eq!(why, "WASMR_LOG has no topic `debug`; the topics are compile, fallback, cache, all");
    }
}
