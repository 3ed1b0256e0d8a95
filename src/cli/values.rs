//! The values that options take, from the words a user types: sizes, durations, directories, variables, preloads.
//!
//! Pure: nothing here looks at files or at the environment. Each parser returns a message that reads on after
//! "invalid value 'X' for '--option': ".

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// `--dir HOST[::GUEST][::ro]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirSpec {
    /// The directory to grant, as typed.
    pub host: PathBuf,
    /// What the guest calls it.
    pub guest: String,
    /// Whether every change is refused.
    pub read_only: bool,
}

impl DirSpec {
    /// Splits at `::`, so that `C:\x::/x` works. A last part `ro` is the marker, never a guest path.
    pub fn parse(typed: OsString) -> Result<DirSpec, String> {
        let parts = split_at_double_colon(&typed)?;
        let (parts, read_only) = match parts.as_slice() {
            [first @ .., last] if !first.is_empty() && last == "ro" => (first, true),
            all => (all, false),
        };
        let (host, guest) = match parts {
            [host] => (host, host),
            [host, guest] => (host, guest),
            _ => return Err("expected HOST[::GUEST][::ro]".to_string()),
        };
        if host.is_empty() {
            return Err("the host path is empty; expected HOST[::GUEST][::ro]".to_string());
        }
        let Some(guest) = guest.to_str() else {
            return Err("a guest path must be UTF-8; name one with HOST::GUEST".to_string());
        };
        if guest.is_empty() {
            return Err("the guest path is empty; expected HOST[::GUEST][::ro]".to_string());
        }
        if guest.contains('\0') {
            return Err("a guest path cannot contain a NUL character".to_string());
        }
        Ok(DirSpec { host: host.into(), guest: guest.to_string(), read_only })
    }
}

#[cfg(unix)]
fn split_at_double_colon(typed: &OsStr) -> Result<Vec<OsString>, String> {
    use std::os::unix::ffi::OsStrExt;
    let mut parts = Vec::new();
    let mut rest = typed.as_bytes();
    while let Some(at) = rest.windows(2).position(|pair| pair == b"::") {
        parts.push(OsStr::from_bytes(&rest[..at]).to_os_string());
        rest = &rest[at + 2..];
    }
    parts.push(OsStr::from_bytes(rest).to_os_string());
    Ok(parts)
}

#[cfg(not(unix))]
fn split_at_double_colon(typed: &OsStr) -> Result<Vec<OsString>, String> {
    let typed = typed.to_str().ok_or_else(|| "expected Unicode text".to_string())?;
    Ok(typed.split("::").map(OsString::from).collect())
}

/// `--env K=V` or `--env K`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvSpec {
    /// The variable's name.
    pub name: String,
    /// Its value; `None` takes the host's, if there is one.
    pub value: Option<String>,
}

impl EnvSpec {
    /// Splits at the first `=`.
    pub fn parse(typed: &str) -> Result<EnvSpec, String> {
        if typed.contains('\0') {
            return Err("a variable cannot contain a NUL character".to_string());
        }
        let (name, value) = match typed.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (typed, None),
        };
        if name.is_empty() {
            return Err("the variable has no name; expected K=V or K".to_string());
        }
        Ok(EnvSpec { name: name.to_string(), value })
    }

    /// The lines of an `--env-file`: `K=V` or `K` each, verbatim; empty lines and lines that start with `#` mean nothing.
    pub fn parse_file(text: &str) -> Result<Vec<EnvSpec>, String> {
        let meaningful = text.lines().enumerate().filter(|(_, line)| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        meaningful
            .map(|(index, line)| EnvSpec::parse(line).map_err(|why| format!("line {}: {why}", index + 1)))
            .collect()
    }
}

/// `--preload NAME=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreloadSpec {
    /// The module name under which the exports are offered.
    pub name: String,
    /// The module's file.
    pub file: PathBuf,
}

impl PreloadSpec {
    /// Splits at the first `=`.
    pub fn parse(typed: &str) -> Result<PreloadSpec, String> {
        match typed.split_once('=') {
            Some((name, file)) if !file.is_empty() => Ok(PreloadSpec { name: name.to_string(), file: file.into() }),
            _ => Err("expected NAME=FILE".to_string()),
        }
    }
}

/// A number of bytes: `65536`, `64KiB`, `64K`, `1.5GiB`, `10MB` (decimal).
pub fn parse_size(typed: &str) -> Result<u64, String> {
    let expected = "expected a number of bytes such as 65536, 64KiB, 512MiB or 2GiB";
    let (number, unit) = split_unit(typed);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(expected.to_string()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(|| "the size does not fit in 64 bits".to_string());
    }
    match number.parse::<f64>() {
        Ok(fraction) if fraction >= 0.0 && fraction * factor as f64 <= (1u64 << 53) as f64 && factor > 1 => {
            Ok((fraction * factor as f64) as u64)
        }
        _ => Err(expected.to_string()),
    }
}

/// How many of something: `1000`, `1_000`.
pub fn parse_count(typed: &str) -> Result<u64, String> {
    let separated = typed.split('_').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    let number = if separated { typed.replace('_', "").parse().ok() } else { None };
    number.ok_or_else(|| "expected a whole number such as 1000".to_string())
}

/// A span of time: `2` (seconds), `100ms`, `1.5s`, `2m`, `1h`. Never zero.
pub fn parse_duration(typed: &str) -> Result<Duration, String> {
    let expected = "expected a time such as 1s, 100ms, 1.5s or 2m";
    let (number, unit) = split_unit(typed);
    let seconds_per_unit = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(expected.to_string()),
    };
    let number: f64 = number.parse().map_err(|_| expected.to_string())?;
    let duration = Duration::try_from_secs_f64(number * seconds_per_unit).map_err(|_| expected.to_string())?;
    if duration.is_zero() {
        return Err("the time must be longer than zero".to_string());
    }
    Ok(duration)
}

/// `y`, `n` and their longer spellings.
pub fn parse_bool(typed: &str) -> Result<bool, String> {
    match typed {
        "y" | "yes" | "true" => Ok(true),
        "n" | "no" | "false" => Ok(false),
        _ => Err("expected y, yes, true, n, no or false".to_string()),
    }
}

fn split_unit(typed: &str) -> (&str, &str) {
    let end = typed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(typed.len());
    typed.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(typed: &str) -> Result<(String, String, bool), String> {
        DirSpec::parse(typed.into()).map(|d| (d.host.to_str().unwrap().to_string(), d.guest, d.read_only))
    }

    #[track_caller]
    fn dir_is(typed: &str, host: &str, guest: &str, read_only: bool) {
        assert_eq!(dir(typed), Ok((host.to_string(), guest.to_string(), read_only)));
    }

    #[test]
    fn directories() {
        dir_is(".", ".", ".", false);
        dir_is("/srv/data", "/srv/data", "/srv/data", false);
        dir_is("a::/b", "a", "/b", false);
        dir_is("a::/b::ro", "a", "/b", true);
        dir_is("a::ro", "a", "a", true);
        dir_is("a::ro::ro", "a", "ro", true);
        dir_is("C:\\x::/x", "C:\\x", "/x", false);
        dir_is("ro", "ro", "ro", false);
        for bad in ["", "::/x", "a::", "a::b::c", "a::b::ro::x", "::ro"] {
            assert!(dir(bad).is_err(), "{bad}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_host_path_need_not_be_unicode_but_the_guest_path_must() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(b"\xff::/x".to_vec());
        let spec = DirSpec::parse(odd).unwrap();
        assert_eq!((spec.host.into_os_string().into_vec(), spec.guest), (vec![0xff], "/x".to_string()));
        assert!(DirSpec::parse(OsString::from_vec(vec![0xff])).unwrap_err().contains("HOST::GUEST"));
    }

    #[test]
    fn variables() {
        let env = |typed| EnvSpec::parse(typed).map(|e| (e.name, e.value));
        assert_eq!(env("A=b=c"), Ok(("A".into(), Some("b=c".into()))));
        assert_eq!(env("A="), Ok(("A".into(), Some(String::new()))));
        assert_eq!(env("A"), Ok(("A".into(), None)));
        assert!(env("=x").is_err() && env("").is_err() && env("A=\0").is_err());
        let file = EnvSpec::parse_file("# note\n\nA=1\n  # more\nB= two \nC\n").unwrap();
        let file: Vec<_> = file.into_iter().map(|e| (e.name, e.value)).collect();
        assert_eq!(file, [("A".into(), Some("1".into())), ("B".into(), Some(" two ".into())), ("C".into(), None)]);
        assert_eq!(EnvSpec::parse_file("A=1\n=2").unwrap_err().split(':').next(), Some("line 2"));
    }

    #[test]
    fn preloads() {
        assert_eq!(
            PreloadSpec::parse("m=a=b.wasm").unwrap(),
            PreloadSpec { name: "m".into(), file: "a=b.wasm".into() }
        );
        assert!(PreloadSpec::parse("m").is_err() && PreloadSpec::parse("m=").is_err());
    }

    #[test]
    fn sizes() {
        for (typed, bytes) in
            [("0", 0), ("65536", 65536), ("64KiB", 65536), ("64k", 65536), ("1.5GiB", 3 << 29), ("10MB", 10_000_000)]
        {
            assert_eq!(parse_size(typed), Ok(bytes), "{typed}");
        }
        for bad in ["", "x", "-1", "1.5", "1 KiB", "64KiBs", "99999999999TiB", "1e3", "NaN", "."] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!((parse_count("0"), parse_count("10_000")), (Ok(0), Ok(10_000)));
        for bad in ["", "-1", "+1", "1.5", "1k", "_1", "1__0", "99999999999999999999"] {
            assert!(parse_count(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (typed, ms) in [("1", 1000), ("2s", 2000), ("100ms", 100), ("1.5s", 1500), ("2m", 120_000)] {
            assert_eq!(parse_duration(typed), Ok(Duration::from_millis(ms)), "{typed}");
        }
        for bad in ["", "0", "0s", "-1s", "1d", "s", "inf", "1.2.3", "99999999999999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn booleans() {
        assert_eq!((parse_bool("y"), parse_bool("false")), (Ok(true), Ok(false)));
        assert!(parse_bool("1").is_err());
    }
}
