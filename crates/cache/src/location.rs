//! The directory of the cache if the user names none, by the [XDG Base Directory Specification].
//!
//! [XDG Base Directory Specification]: https://specifications.freedesktop.org/basedir/latest/

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Cache;

impl Cache {
    /// Returns `$XDG_CACHE_HOME/wasmr`, or `$HOME/.cache/wasmr` if the former variable is unset or no absolute path. `variable`
    /// returns the value of an environment variable.
    pub fn default_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(caches.join("wasmr"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_follows_from_two_variables() {
        let dir = |xdg: Option<&str>, home: Option<&str>| {
            let variable = |name: &str| match name {
                "XDG_CACHE_HOME" => xdg.map(OsString::from),
                "HOME" => home.map(OsString::from),
                _ => None,
            };
            Cache::default_dir(variable).map(|path| path.to_str().unwrap().to_owned())
        };
        assert_eq!(dir(Some("/x"), Some("/h")).as_deref(), Some("/x/wasmr"));
        assert_eq!(dir(None, Some("/h")).as_deref(), Some("/h/.cache/wasmr"));
        for ignored in ["", "relative"] {
            assert_eq!(dir(Some(ignored), Some("/h")).as_deref(), Some("/h/.cache/wasmr"));
            assert_eq!(dir(None, Some(ignored)), None);
        }
        assert_eq!(dir(None, None), None);
    }
}
