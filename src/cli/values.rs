//! Parsers of the values of options: sizes, durations, directories, variables, preloads.
//!
//! Pure: the parsers read neither files nor the environment. Each error is a text to follow "invalid value 'X' for '--option': ".

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Value of `--dir`, `HOST[::GUEST][::ro]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirSpec {
    /// The directory to grant, as typed.
    pub host: PathBuf,
    /// The directory's path for the guest.
    pub guest: String,
    /// True if the guest may not change anything in the directory.
    pub read_only: bool,
}

impl DirSpec {
    /// Splits at `::`, so that `C:\x::/x` works. A last part `ro` is the marker, never a guest path.
    ///
    /// # Errors
    /// A guest path that ends in a marker of another spelling, as in `app::/app:ro`, is an error, because the directory would be granted
    /// for writing.
    pub fn parse(typed: OsString) -> Result<DirSpec, String> {
        let parts = split_at_double_colon(&typed)?;
        let (parts, read_only) = match parts.as_slice() {
            [first @ .., last] if !first.is_empty() && last == "ro" => (first, true),
            all => (all, false),
        };
        let (host, guest) = match parts {
            [host] => (host, host),
            [host, guest] => (host, guest),
            more => return Err(surplus_hint(more).to_string()),
        };
        if host.is_empty() {
            return Err("the host path is empty; expected HOST[::GUEST][::ro]".to_string());
        }
        let Some(guest) = guest.to_str() else {
            return Err("the guest path must be UTF-8; choose one with HOST::GUEST".to_string());
        };
        if guest.is_empty() {
            return Err("the guest path is empty; expected HOST[::GUEST][::ro]".to_string());
        }
        if guest.contains('\0') {
            return Err("the guest path contains a NUL character".to_string());
        }
        if parts.len() == 2 && guest.starts_with(':') {
            return Err("the parts are separated by three colons; expected HOST[::GUEST][::ro]".to_string());
        }
        if parts.len() == 2
            && !read_only
            && let Some(why) = guest.rsplit(':').next().and_then(marker_hint)
        {
            return Err(why.to_string());
        }
        Ok(DirSpec { host: host.into(), guest: guest.to_string(), read_only })
    }
}

/// Returns the correction of a marker of another spelling, or `None` if the word is no marker.
fn marker_hint(word: &str) -> Option<&'static str> {
    match &*word.to_ascii_lowercase() {
        "ro" | "readonly" => Some("for read-only, write `::ro` with two colons and small letters"),
        "rw" => Some("leave `rw` out: without `::ro`, the program may read and write"),
        _ => None,
    }
}

/// Returns the error for more than two parts, without a `ro` at the end.
fn surplus_hint(parts: &[OsString]) -> &'static str {
    let after_host = || parts.iter().skip(1).filter_map(|part| part.to_str());
    if after_host().any(|part| part == "ro") {
        return "write `::ro` only once, at the end; expected HOST[::GUEST][::ro]";
    }
    after_host().find_map(marker_hint).unwrap_or("expected HOST[::GUEST][::ro]")
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

/// Value of `--env`, `K=V` or `K`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvSpec {
    /// The variable's name.
    pub name: String,
    /// The variable's value. `None` passes on the host's variable, if it is set.
    pub value: Option<String>,
}

impl EnvSpec {
    /// Splits at the first `=`.
    pub fn parse(typed: &str) -> Result<EnvSpec, String> {
        if typed.contains('\0') {
            return Err("the variable contains a NUL character".to_string());
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

    /// Parses an `--env-file`: one `K=V` or `K` per line, verbatim. Empty lines and lines that start with `#` are skipped.
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

/// Value of `--preload`, `NAME=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreloadSpec {
    /// The module name for importers.
    pub name: String,
    /// The module's file.
    pub file: PathBuf,
}

impl PreloadSpec {
    /// Splits at the first `=`.
    pub fn parse(typed: &str) -> Result<PreloadSpec, String> {
        match typed.split_once('=') {
            Some(("", _)) => Err("the module has no name; expected NAME=FILE".to_string()),
            Some((name, file)) if !file.is_empty() => Ok(PreloadSpec { name: name.to_string(), file: file.into() }),
            _ => Err("expected NAME=FILE".to_string()),
        }
    }
}

/// Parses `ADDR:PORT` of `--listen`. The address is numeric, because wasmr looks up no names.
pub fn parse_listen(typed: &str) -> Result<SocketAddr, String> {
    let expected = || {
        let number = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
        match typed.rsplit_once(':') {
            None if number(typed) => format!("expected ADDR:PORT such as 127.0.0.1:{typed}"),
            Some(("", port)) if number(port) => {
                format!("expected ADDR:PORT such as 0.0.0.0:{port}, which means all addresses")
            }
            Some((_, port)) if number(port) && port.parse::<u16>().is_ok() => {
                format!("expected ADDR:PORT with a numeric address such as 127.0.0.1:{port} or [::1]:{port}")
            }
            _ => "expected ADDR:PORT such as 127.0.0.1:8080 or [::1]:8080".to_string(),
        }
    };
    typed.parse().map_err(|_| expected())
}

/// Parses a number of bytes: `65536`, `64KiB`, `64K`, `1.5GiB`, `10MB` (decimal), `1e6`.
pub fn parse_size(typed: &str) -> Result<u64, String> {
    let expected = || unexpected(typed, "a size", "a number of bytes such as 65536, 1e6, 64KiB, 512MiB or 2GiB");
    let (number, unit) = Number::parse(typed).ok_or_else(expected)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(expected()),
    };
    match number.times(factor) {
        // A fraction of a byte is an error; 0.3 KiB is rounded down.
        Some((_, false)) if factor == 1 => Err(expected()),
        Some((bytes, _)) => Ok(bytes),
        None => Err("the size does not fit in 64 bits".to_string()),
    }
}

/// Parses a count: `1000`, `1_000`, `1e3`.
pub fn parse_count(typed: &str) -> Result<u64, String> {
    let expected = || unexpected(typed, "a count", "a whole number such as 1000 or 1e6");
    let (number, unit) = Number::parse(typed).ok_or_else(expected)?;
    match number.times(1) {
        _ if !unit.is_empty() => Err(expected()),
        Some((count, true)) => Ok(count),
        Some(_) => Err(expected()),
        None => Err("the number does not fit in 64 bits".to_string()),
    }
}

/// Parses a span of time: `2` (seconds), `100ms`, `1.5s`, `2m`, `1h`. Zero is valid.
pub fn parse_duration(typed: &str) -> Result<Duration, String> {
    let expected = || unexpected(typed, "a time", "a time such as 1s, 500ms, 1.5s or 2m");
    let (number, unit) = Number::parse(typed).ok_or_else(expected)?;
    let nanoseconds_per_unit = match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(expected()),
    };
    match number.times(nanoseconds_per_unit) {
        // A time below a nanosecond is rounded up, because zero would mean no limit.
        Some((0, false)) => Ok(Duration::from_nanos(1)),
        Some((nanoseconds, _)) => Ok(Duration::from_nanos(nanoseconds)),
        None => Err("the time is longer than 500 years".to_string()),
    }
}

/// Returns the error for a word that is not the expected number. `what` names the kind of number.
fn unexpected(typed: &str, what: &str, expected: &str) -> String {
    match typed.strip_prefix('-').and_then(Number::parse) {
        Some(_) => format!("{what} cannot be negative; expected {expected}"),
        None => format!("expected {expected}"),
    }
}

/// A number in an option, `mantissa × 10^exponent`: `10_000`, `1.5`, `1e6`, `0x40`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    mantissa: u128,
    exponent: i32,
}

impl Number {
    /// Reads the number at the start of a text. Returns it with the rest, which is its unit.
    fn parse(typed: &str) -> Option<(Number, &str)> {
        if let Some(hex) = typed.strip_prefix("0x") {
            let (digits, rest) = digits(hex, 16)?;
            return Some((Number { mantissa: u128::from_str_radix(&digits, 16).ok()?, exponent: 0 }, rest));
        }
        let (mut all, mut rest) = digits(typed, 10)?;
        let mut exponent = 0;
        if let Some(after) = rest.strip_prefix('.') {
            let (fraction, after) = digits(after, 10)?;
            let fraction = fraction.trim_end_matches('0');
            exponent = -i32::try_from(fraction.len()).ok()?;
            all.push_str(fraction);
            rest = after;
        }
        if let Some(after) = rest.strip_prefix(['e', 'E']) {
            let unsigned = after.strip_prefix(['+', '-']).unwrap_or(after);
            let (power, after_power) = digits(unsigned, 10)?;
            let power: i32 = power.parse().ok().filter(|power| *power <= 1000)?;
            exponent += if after.starts_with('-') { -power } else { power };
            rest = after_power;
        }
        Some((Number { mantissa: all.parse().ok()?, exponent }, rest))
    }

    /// Returns the number times `factor`, rounded down, and true if that is exact. Returns `None` if it does not fit.
    fn times(self, factor: u64) -> Option<(u64, bool)> {
        if self.mantissa == 0 {
            return Some((0, true));
        }
        let product = self.mantissa.checked_mul(factor.into())?;
        if self.exponent >= 0 {
            let power = 10_u128.checked_pow(self.exponent.unsigned_abs())?;
            return Some((u64::try_from(product.checked_mul(power)?).ok()?, true));
        }
        // A power that does not fit in 128 bits is larger than any product.
        match 10_u128.checked_pow(self.exponent.unsigned_abs()) {
            Some(power) => Some((u64::try_from(product / power).ok()?, product % power == 0)),
            None => Some((0, false)),
        }
    }
}

/// Returns the digits at the start of a text, without `_` between two of them, and the rest. Returns `None` if there are none.
fn digits(text: &str, radix: u32) -> Option<(String, &str)> {
    let end = text.find(|c: char| !c.is_digit(radix) && c != '_').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    number.split('_').all(|part| !part.is_empty()).then(|| (number.replace('_', ""), rest))
}

/// Parses `y`, `n` and their longer spellings.
pub fn parse_bool(typed: &str) -> Result<bool, String> {
    match typed {
        "y" | "yes" | "true" => Ok(true),
        "n" | "no" | "false" => Ok(false),
        _ => Err("expected y, yes, true, n, no or false".to_string()),
    }
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
        dir_is("a:ro", "a:ro", "a:ro", false);
        dir_is("a::rw::ro", "a", "rw", true);
        dir_is("a::./rw", "a", "./rw", false);
        dir_is("a::/b:c", "a", "/b:c", false);
        for bad in ["", "::/x", "a::", "a::b::c", "a::b::ro::x", "::ro", "a::::ro", "a::/b::rw"] {
            assert!(dir(bad).is_err(), "{bad}");
        }
        for (bad, why) in [
            ("a::/b:ro", "two colons"),
            ("a::RO", "small letters"),
            ("a::/b:readonly", "two colons"),
            ("a::rw", "leave `rw` out"),
            ("a::/b:rw", "leave `rw` out"),
            ("a:::/b", "three colons"),
            ("a:::ro", "three colons"),
            ("a::/b::RO", "small letters"),
            ("a::/b::readonly", "two colons"),
            ("a::/b::rw", "leave `rw` out"),
            ("a::/b::RW::ro", "leave `rw` out"),
            ("a::ro::/b", "at the end"),
            ("a::/b::ro::ro", "only once"),
            ("a::/b::c", "expected HOST"),
        ] {
            assert!(dir(bad).unwrap_err().contains(why), "{bad}");
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
        assert!(PreloadSpec::parse("=m.wasm").unwrap_err().contains("no name"));
    }

    #[test]
    fn addresses_to_listen_on() {
        assert_eq!(parse_listen("[::1]:80").unwrap().port(), 80);
        for (bad, example) in [
            ("8080", "127.0.0.1:8080"),
            (":80", "0.0.0.0:80"),
            ("localhost:0", "127.0.0.1:0"),
            ("127.0.0.1", "127.0.0.1:8080"),
            ("", "127.0.0.1:8080"),
            ("127.0.0.1:99999", "127.0.0.1:8080"),
        ] {
            assert!(parse_listen(bad).unwrap_err().contains(example), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (typed, bytes) in [
            ("0", 0),
            ("65536", 65536),
            ("64KiB", 65536),
            ("64k", 65536),
            ("1.5GiB", 3 << 29),
            ("10MB", 10_000_000),
            ("1e6", 1_000_000),
            ("1.5e3", 1500),
            ("1_000_000", 1_000_000),
            ("1_0.2_5KiB", 10_496),
            ("0.3KiB", 307),
            ("1e3KiB", 1_024_000),
            ("0x10000", 65536),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(typed), Ok(bytes), "{typed}");
        }
        for bad in [
            "",
            "x",
            "-1",
            "1.5",
            "1e-1",
            "1 KiB",
            "64KiBs",
            "99999999999TiB",
            "1e",
            "1e+",
            "1e99999999999",
            "NaN",
            ".",
            "1.",
            ".5KiB",
            "_1",
            "1_",
            "0x",
            "0x1KiB.",
        ] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn counts() {
        for (typed, count) in [
            ("0", 0),
            ("10_000", 10_000),
            ("1e6", 1_000_000),
            ("1.5e3", 1500),
            ("2.0", 2),
            ("120e-1", 12),
            ("0xff", 255),
        ] {
            assert_eq!(parse_count(typed), Ok(count), "{typed}");
        }
        for bad in ["", "-1", "+1", "1.5", "1k", "_1", "1__0", "99999999999999999999", "1e20", "1e-1", "1e-1000"] {
            assert!(parse_count(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (typed, ms) in [
            ("1", 1000),
            ("2s", 2000),
            ("100ms", 100),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("1d", 86_400_000),
            ("1e3ms", 1000),
            ("1_000ms", 1000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(typed), Ok(Duration::from_millis(ms)), "{typed}");
        }
        assert_eq!(parse_duration("1e-99s"), Ok(Duration::from_nanos(1)));
        for bad in ["", "-1s", "1y", "s", "inf", "1.2.3", "99999999999999999999999h", "1 s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_number_is_negative() {
        for typed in ["-1", "-0x10", "-1.5e3", "-2"] {
            for message in [parse_size(typed).err(), parse_count(typed).err(), parse_duration(typed).err()] {
                assert!(message.unwrap().contains("cannot be negative; expected "), "{typed}");
            }
        }
        assert!(parse_size("-64KiB").unwrap_err().contains("negative"));
        assert!(parse_duration("-2m").unwrap_err().contains("negative"));
        assert!(!parse_size("-x").unwrap_err().contains("negative"));
    }

    #[test]
    fn booleans() {
        assert_eq!((parse_bool("y"), parse_bool("false")), (Ok(true), Ok(false)));
        assert!(parse_bool("1").is_err());
    }
}
