//! Advice about `--dir`: a corrected value for a directory that cannot be opened, and warnings about guest paths that many programs
//! do not find.
//!
//! The functions are pure: closures answer questions about the host.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;

use super::missing::shell_word;
use super::report::printable_word;
use super::values::DirSpec;

/// Markers after a directory in other runtimes, with one colon. The flag is true if the marker means read-only.
const MARKERS: [(&str, bool); 3] = [(":ro", true), (":readonly", true), (":rw", false)];

const NO_SHELL: &str = "the shell did not expand `~`";
const TWO_COLONS: &str = "separate the parts with two colons";
const HOST_FIRST: &str = "put the host's directory first";
const BOTH: &str = "put the host's directory first, then two colons";
const ONE_PART: &str = "one side of the colon is empty";

/// Returns a corrected `--dir` in place of one that cannot be opened, if another reading of the same words exists on the host.
///
/// The readings are `HOST:GUEST` and `GUEST:HOST` as in container tools, `GUEST::HOST`, and a `~` that no shell expanded. `home` is the
/// user's home directory.
pub fn other_reading(spec: &DirSpec, home: Option<&str>, is_dir: impl Fn(&str) -> bool) -> Option<String> {
    let host = spec.host.to_str().filter(|host| !is_dir(host))?;
    let mut read_only = spec.read_only;
    let mut readings: Vec<(&str, &str, &str)> = Vec::new();
    if spec.guest != host {
        readings.extend([(NO_SHELL, host, &*spec.guest), (HOST_FIRST, &*spec.guest, host)]);
    } else {
        let (words, marked) = without_marker(host);
        read_only |= marked;
        readings.push((if words == host { NO_SHELL } else { TWO_COLONS }, words, ""));
        let splits = || words.match_indices(':').map(|(at, _)| (&words[..at], &words[at + 1..]));
        let why = |one: &str, other: &str, why| if one.is_empty() || other.is_empty() { ONE_PART } else { why };
        readings.extend(splits().map(|(host, guest)| (why(host, guest, TWO_COLONS), host, guest)));
        readings.extend(splits().map(|(guest, host)| (why(host, guest, BOTH), host, guest)));
    }
    readings.into_iter().find_map(|(why, host, guest)| {
        let host = expanded(host, home);
        let value = proposal(&host, guest, read_only).filter(|_| is_dir(&host))?;
        Some(format!("{why}; type --dir {value}"))
    })
}

/// Splits off a marker of another runtime, in any case. Returns true if the marker means read-only.
fn without_marker(words: &str) -> (&str, bool) {
    let found = MARKERS.iter().find_map(|(marker, read_only)| {
        let (before, last) = words.split_at_checked(words.len().checked_sub(marker.len())?)?;
        last.eq_ignore_ascii_case(marker).then_some((before, *read_only))
    });
    found.unwrap_or((words, false))
}

/// Returns the path with a leading `~` replaced by the home directory.
fn expanded<'p>(path: &'p str, home: Option<&str>) -> Cow<'p, str> {
    match (path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')), home) {
        (Some(rest), Some(home)) => format!("{home}{rest}").into(),
        _ => path.into(),
    }
}

/// Returns a value of `--dir`, without a guest path if `guest` is empty.
fn value(host: &str, guest: &str, read_only: bool) -> String {
    let colons = if guest.is_empty() { "" } else { "::" };
    format!("{host}{colons}{guest}{}", if read_only { "::ro" } else { "" })
}

/// Returns a value of `--dir`, quoted for the shell.
fn typed(host: &str, guest: &str, read_only: bool) -> String {
    shell_word(&printable_word(value(host, guest, read_only)))
}

/// Returns the value of `--dir` that grants `host` as `guest`, quoted for the shell. If the guest path itself reads as a marker, the
/// value grants it as `/GUEST`. Returns `None` if no value has this meaning.
fn proposal(host: &str, guest: &str, read_only: bool) -> Option<String> {
    let guests = if guest.is_empty() { vec![String::new()] } else { vec![guest.to_string(), format!("/{guest}")] };
    guests.into_iter().find_map(|guest| {
        let is_meant = |spec: &DirSpec| {
            let named = if guest.is_empty() { host } else { &guest };
            spec.host == Path::new(host) && spec.guest == named && spec.read_only == read_only
        };
        let is_marker = !guest.is_empty() && without_marker(&format!(":{guest}")).0.is_empty();
        let value = OsString::from(value(host, &guest, read_only));
        let fits = !is_marker && DirSpec::parse(value).is_ok_and(|spec| is_meant(&spec));
        fits.then(|| typed(host, &guest, read_only))
    })
}

/// Translates the value of another runtime's option, with one colon or two, into a value of `--dir`. The value is `HOST:GUEST`, or
/// `GUEST:HOST` if `guest_first`. Returns `None` if it does not have two parts.
pub fn translated(value: &str, guest_first: bool) -> Option<String> {
    let (words, read_only) = without_marker(value);
    let words = words.trim_end_matches(':');
    let (first, second) = words.split_once("::").or_else(|| words.split_once(':'))?;
    let (host, guest) = if guest_first { (second, first) } else { (first, second) };
    if host.is_empty() || guest.is_empty() { None } else { proposal(host, guest, read_only) }
}

/// Returns a hint if the path to grant is a file.
pub fn directory_of_file(spec: &DirSpec, is_file: impl Fn(&Path) -> bool) -> Option<String> {
    if !is_file(&spec.host) {
        return None;
    }
    let parent = spec.host.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(format!("it is a file; grant its directory: --dir {}", shell_word(&printable_word(parent))))
}

/// Returns the components of a guest path as programs compare them, without a leading `/` or `./`.
fn names(guest: &str) -> impl Iterator<Item = &str> {
    guest.split('/').filter(|name| !name.is_empty() && *name != ".")
}

/// Returns warnings about directories that many programs do not find. `home` is the user's home directory.
pub fn warnings(specs: &[DirSpec], home: Option<&str>) -> Vec<String> {
    let warnings = specs.iter().enumerate().filter_map(|(index, spec)| {
        hidden(specs, index).or_else(|| no_home(spec, home)).or_else(|| dotdot(specs, spec))
    });
    warnings.collect()
}

/// Warns if a later directory has the same guest path: programs use only one of the two.
fn hidden(specs: &[DirSpec], index: usize) -> Option<String> {
    let spec = &specs[index];
    let by = specs[index + 1..].iter().rfind(|other| names(&other.guest).eq(names(&spec.guest)))?;
    if (&spec.host, spec.read_only) == (&by.host, by.read_only) {
        return None;
    }
    let help = another_name(specs, spec);
    if spec.guest == by.guest {
        let [earlier, later] = [spec, by].map(|spec| {
            let guest = if Path::new(&spec.guest) == spec.host { "" } else { &spec.guest };
            typed(&spec.host.to_string_lossy(), guest, spec.read_only)
        });
        return Some(format!(
            "--dir {earlier} and --dir {later} have the same guest path: most programs find only the later one, programs built \
             by Go only the earlier one; {help}"
        ));
    }
    Some(format!(
        "most programs cannot reach --dir {}: its guest path `{}` means the same as `{}`, where they find `{}`; {help}",
        printable_word(&spec.host),
        printable_word(&spec.guest),
        printable_word(&by.guest),
        printable_word(&by.host),
    ))
}

/// Warns about a `~` in the guest path. Shells expand `~` only at the start of a word.
fn no_home(spec: &DirSpec, home: Option<&str>) -> Option<String> {
    let guest = expanded(&spec.guest, home);
    if spec.host == Path::new(&spec.guest) || guest == spec.guest {
        return None;
    }
    Some(format!(
        "neither the shell nor the program expands `~` in the guest path `{}`; type --dir {}",
        printable_word(&spec.guest),
        typed(&spec.host.to_string_lossy(), &guest, spec.read_only)
    ))
}

/// Warns about a guest path with `..`. Programs that compare paths as text find such a directory; programs that normalise paths first
/// do not. A directory without a separate guest path gets no warning, as the user chose no name.
fn dotdot(specs: &[DirSpec], spec: &DirSpec) -> Option<String> {
    if spec.host == Path::new(&spec.guest) || !names(&spec.guest).any(|name| name == "..") {
        return None;
    }
    Some(format!(
        "programs that resolve `..` themselves, such as programs built by Go, cannot reach the guest path `{}`; {}",
        printable_word(&spec.guest),
        another_name(specs, spec)
    ))
}

/// Proposes a guest path that no other directory has.
fn another_name(specs: &[DirSpec], spec: &DirSpec) -> String {
    let own = spec.host.file_name().and_then(|name| name.to_str()).unwrap_or("host");
    // At least one of these names is free, and a number at the end keeps it from reading as a marker.
    let numbered = (2..specs.len() + 3).map(|number| format!("/{own}-{number}"));
    let candidates = std::iter::once(format!("/{own}")).chain(numbered);
    let mut free = candidates.filter(|name| !specs.iter().any(|other| names(&other.guest).eq(names(name))));
    let help = free.find_map(|name| proposal(&spec.host.to_string_lossy(), &name, spec.read_only));
    format!("choose another guest path{}", help.map(|value| format!(": --dir {value}")).unwrap_or_default())
}

/// Returns the first component of the guest path if `spec` is the only grant. Relative paths that start with this component name the
/// grant itself. Returns `None` if all relative paths lead into the grant.
pub fn own_name(spec: &DirSpec) -> Option<&str> {
    names(&spec.guest).next().filter(|name| *name != "..")
}

/// Returns a warning about a single grant that contains an entry called `name`, its [`own_name`].
pub fn shadowed_entry(spec: &DirSpec, name: &str) -> String {
    let [host, guest, name] = [spec.host.as_os_str(), spec.guest.as_ref(), name.as_ref()].map(printable_word);
    let help = proposal(&spec.host.to_string_lossy(), "/", spec.read_only);
    format!(
        "relative paths that start with `{name}` lead to the guest path `{guest}` of --dir, not to the entry `{name}` of the host \
         directory `{host}`{}",
        help.map(|value| format!("; type --dir {value}")).unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_hide_others_get_a_warning() {
        let hidden = |typed: &[&str]| {
            let specs: Vec<DirSpec> = typed.iter().map(|typed| DirSpec::parse(typed.into()).unwrap()).collect();
            warnings(&specs, Some("/users/u")).join("\n")
        };
        for fine in [&["/", "a"][..], &["a", "b::/b", "a/b"], &["."], &[], &["../x", "x"], &[".", "."], &["~/a"]] {
            assert_eq!(hidden(fine), "", "{fine:?}");
        }
        for same in [&["/", "."][..], &[".", "x::/"], &["a", "x::/a/"], &["a", "x::./a"], &["b::/a", "a"]] {
            assert!(hidden(same).starts_with("most programs cannot reach --dir "), "{same:?}");
        }
        let three = hidden(&["/srv/data::/a::ro", "b::a", "c::./a"]);
        assert_eq!(
            three.lines().next().unwrap(),
            "most programs cannot reach --dir /srv/data: its guest path `/a` means the same as `./a`, where they find `c`; choose \
             another guest path: --dir /srv/data::/data::ro"
        );
        assert_eq!(three.lines().count(), 2);
        let help = "most programs find only the later one, programs built by Go only the earlier one; choose another guest path: --dir";
        for (same, parts, name) in [
            (["a::/x", "b::/x::ro"], "--dir a::/x and --dir b::/x::ro", "a::/a"),
            (["b::/a", "c::/a"], "--dir b::/a and --dir c::/a", "b::/b"),
            (["x/a::/a", "c::/a"], "--dir x/a::/a and --dir c::/a", "x/a::/a-2"),
            (["d:ro::/a", "c::/a"], "--dir d:ro::/a and --dir c::/a", "d:ro::/d:ro-2"),
            ([".::ro", "."], "--dir .::ro and --dir .", ".::/host::ro"),
        ] {
            assert_eq!(hidden(&same), format!("{parts} have the same guest path: {help} {name}"));
        }
    }

    #[test]
    fn names_that_programs_hardly_find_get_a_warning() {
        let one = |typed: &str| warnings(&[DirSpec::parse(typed.into()).unwrap()], Some("/users/u")).join("\n");
        assert_eq!(
            one("a::~/x::ro"),
            "neither the shell nor the program expands `~` in the guest path `~/x`; type --dir a::/users/u/x::ro"
        );
        for typed in ["dd::../x", "dd::/a/../x", "dd::.."] {
            assert!(one(typed).ends_with("; choose another guest path: --dir dd::/dd"), "{typed}: {}", one(typed));
        }
        for fine in ["..", "../x", "a::~x", "a::/..x", "a::..."] {
            assert_eq!(one(fine), "", "{fine}");
        }
    }

    #[test]
    fn values_of_other_runtimes_are_translated() {
        for (value, guest_first, typed) in [
            (".:/x", false, ".::/x"),
            (".:/x:ro", false, ".::/x::ro"),
            (".:/x:rw", false, ".::/x"),
            ("/x:.", true, ".::/x"),
            ("/x::.", true, ".::/x"),
            ("/a b:.:readonly", true, "'.::/a b::ro'"),
        ] {
            assert_eq!(translated(value, guest_first).as_deref(), Some(typed), "{value}");
        }
        for value in ["", ".", ":", "::", "a:", ":/x", "a::", ":ro", "a:ro"] {
            assert_eq!(translated(value, false), None, "{value}");
        }
    }

    #[test]
    fn entries_that_relative_paths_do_not_reach_get_a_warning() {
        let own = |typed: &str| {
            let spec = DirSpec::parse(typed.into()).unwrap();
            own_name(&spec).map(|name| (name.to_string(), shadowed_entry(&spec, name)))
        };
        let (name, told) = own("pkg").unwrap();
        assert_eq!(name, "pkg");
        assert_eq!(
            told,
            "relative paths that start with `pkg` lead to the guest path `pkg` of --dir, not to the entry `pkg` of the host \
             directory `pkg`; type --dir pkg::/"
        );
        let (name, told) = own("my data::./srv/x::ro").unwrap();
        assert_eq!(name, "srv");
        assert!(told.ends_with("; type --dir 'my data::/::ro'"), "{told}");
        for typed in ["..", "../x", "a::/", ".", "a::./", "/"] {
            assert_eq!(own(typed), None, "{typed}");
        }
    }

    fn reading(typed: &str) -> String {
        let spec = DirSpec::parse(typed.into()).unwrap();
        let there = ["app", "a:b", "/srv/app", "/users/u/app", "/users/u"];
        other_reading(&spec, Some("/users/u"), |path| there.contains(&path)).unwrap_or_default()
    }

    #[test]
    fn other_readings_are_proposed() {
        for (typed, hint) in [
            ("app:/work", "separate the parts with two colons; type --dir app::/work"),
            ("app:/work:ro", "separate the parts with two colons; type --dir app::/work::ro"),
            ("app:/work::ro", "separate the parts with two colons; type --dir app::/work::ro"),
            ("app:ro", "separate the parts with two colons; type --dir app::ro"),
            ("app:/work:readonly", "separate the parts with two colons; type --dir app::/work::ro"),
            ("app:rw", "separate the parts with two colons; type --dir app"),
            ("app:RO", "separate the parts with two colons; type --dir app::ro"),
            ("app:é", "separate the parts with two colons; type --dir app::é"),
            ("~/app:/work", "separate the parts with two colons; type --dir /users/u/app::/work"),
            ("a:b:/work", "separate the parts with two colons; type --dir a:b::/work"),
            ("app:", "one side of the colon is empty; type --dir app"),
            (":app:ro", "one side of the colon is empty; type --dir app::ro"),
            ("/work:app", "put the host's directory first, then two colons; type --dir app::/work"),
            ("/work:app:ro", "put the host's directory first, then two colons; type --dir app::/work::ro"),
            ("/work:~/app", "put the host's directory first, then two colons; type --dir /users/u/app::/work"),
            ("/work::~/app", "put the host's directory first; type --dir /users/u/app::/work"),
            ("/work::app", "put the host's directory first; type --dir app::/work"),
            ("/my work::/srv/app::ro", "put the host's directory first; type --dir '/srv/app::/my work::ro'"),
            ("~/app", "the shell did not expand `~`; type --dir /users/u/app"),
            ("~/app::/work", "the shell did not expand `~`; type --dir /users/u/app::/work"),
            ("~", "the shell did not expand `~`; type --dir /users/u"),
            ("ro::app", "put the host's directory first; type --dir app::/ro"),
            ("ro::app::ro", "put the host's directory first; type --dir app::/ro::ro"),
            ("RW::app", "put the host's directory first; type --dir app::/RW"),
            ("readonly:app", "put the host's directory first, then two colons; type --dir app::/readonly"),
        ] {
            assert_eq!(reading(typed), hint, "{typed}");
        }
    }

    #[test]
    fn nothing_is_suggested_that_does_not_exist() {
        for typed in [
            "nosuch",
            "nosuch:/work",
            "/x:/y",
            "/x::/y",
            "~/nosuch",
            "~other/app",
            "nosuch::/work::ro",
            ":",
            // These directories exist, so something else is wrong with them.
            "app",
            "/srv/app::app",
            // No value of `--dir` grants the directory by that name.
            "x:rw::app",
        ] {
            assert_eq!(reading(typed), "", "{typed}");
        }
    }

    #[test]
    fn a_file_has_a_directory() {
        let hint = |typed: &str| directory_of_file(&DirSpec::parse(typed.into()).unwrap(), |_| true).unwrap();
        assert_eq!(hint("a/b.txt"), "it is a file; grant its directory: --dir a");
        assert_eq!(hint("b.txt::/x"), "it is a file; grant its directory: --dir .");
    }
}
