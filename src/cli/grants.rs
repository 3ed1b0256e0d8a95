//! Directories to grant: which other reading of a `--dir` that cannot be opened would make sense, and which directories programs
//! will hardly find.
//!
//! Pure: asks about the host through a closure.

use std::borrow::Cow;
use std::path::Path;

use super::missing::shell_word;
use super::report::printable_word;
use super::values::DirSpec;

/// Markers behind a directory in other runtimes, one colon before each, and whether the directory is then read-only.
const MARKERS: [(&str, bool); 3] = [(":ro", true), (":readonly", true), (":rw", false)];

const NO_SHELL: &str = "the shell did not replace `~` there";
const TWO_COLONS: &str = "two colons stand between the parts";
const HOST_FIRST: &str = "the host's directory stands first";
const BOTH: &str = "the host's directory stands first, and two colons behind it";
const ONE_PART: &str = "nothing stands on one side of the colon";

/// What to type instead of a directory that cannot be opened, if another reading of the same words exists on the host.
///
/// Those are `HOST:GUEST` and `GUEST:HOST` as of containers, `GUEST::HOST`, a `~` that no shell has replaced, and a file in place
/// of its directory. `home` is the user's home directory.
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
        is_dir(&host).then(|| format!("{why}; type --dir {}", typed(&host, guest, read_only)))
    })
}

/// Splits a marker of another runtime off, in small letters or large. Returns true if it stands for read-only.
fn without_marker(words: &str) -> (&str, bool) {
    let found = MARKERS.iter().find_map(|(marker, read_only)| {
        let (before, last) = words.split_at_checked(words.len().checked_sub(marker.len())?)?;
        last.eq_ignore_ascii_case(marker).then_some((before, *read_only))
    });
    found.unwrap_or((words, false))
}

/// The path with the home directory in place of a `~`.
fn expanded<'p>(path: &'p str, home: Option<&str>) -> Cow<'p, str> {
    match (path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')), home) {
        (Some(rest), Some(home)) => format!("{home}{rest}").into(),
        _ => path.into(),
    }
}

/// The value of `--dir` as a user types it; without a name for the guest if that is empty.
fn typed(host: &str, guest: &str, read_only: bool) -> String {
    let guest = if guest.is_empty() { String::new() } else { format!("::{guest}") };
    shell_word(&printable_word(format!("{host}{guest}{}", if read_only { "::ro" } else { "" })))
}

/// The value of `--dir` that means what another runtime's option of this value means: `HOST:GUEST`, or `GUEST:HOST` if the guest
/// stands first, with one colon or two. `None` if it has not two parts.
pub fn translated(value: &str, guest_first: bool) -> Option<String> {
    let (words, read_only) = without_marker(value);
    let words = words.trim_end_matches(':');
    let (first, second) = words.split_once("::").or_else(|| words.split_once(':'))?;
    let (host, guest) = if guest_first { (second, first) } else { (first, second) };
    (!host.is_empty() && !guest.is_empty()).then(|| typed(host, guest, read_only))
}

/// What to type if the path is that of a file.
pub fn directory_of_file(spec: &DirSpec, is_file: impl Fn(&Path) -> bool) -> Option<String> {
    if !is_file(&spec.host) {
        return None;
    }
    let parent = spec.host.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(format!("it is a file; grant its directory: --dir {}", shell_word(&printable_word(parent))))
}

/// The names of a guest path, as programs compare them: a leading `/` or `./` counts for nothing.
fn names(guest: &str) -> impl Iterator<Item = &str> {
    guest.split('/').filter(|name| !name.is_empty() && *name != ".")
}

/// What to say about directories that programs will hardly find. `home` is the user's home directory.
pub fn warnings(specs: &[DirSpec], home: Option<&str>) -> Vec<String> {
    let warnings = specs.iter().enumerate().filter_map(|(index, spec)| {
        hidden(specs, index).or_else(|| no_home(spec, home)).or_else(|| dotdot(specs, spec))
    });
    warnings.collect()
}

/// Of two directories with the same path, programs use one only.
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
            "--dir {earlier} and --dir {later} have the same name: most programs find only the later, those built by Go only \
             the earlier; {help}"
        ));
    }
    Some(format!(
        "most programs cannot reach --dir {}: to them `{}` is the same path as `{}`, where they find {}; {help}",
        printable_word(&spec.host),
        printable_word(&spec.guest),
        printable_word(&by.guest),
        printable_word(&by.host),
    ))
}

/// Shells replace a `~` only where a word begins.
fn no_home(spec: &DirSpec, home: Option<&str>) -> Option<String> {
    let guest = expanded(&spec.guest, home);
    if spec.host == Path::new(&spec.guest) || guest == spec.guest {
        return None;
    }
    Some(format!(
        "the shell did not replace `~` in the guest path `{}`, and programs do not either; type --dir {}",
        printable_word(&spec.guest),
        typed(&spec.host.to_string_lossy(), &guest, spec.read_only)
    ))
}

/// Programs that compare paths as text find such a directory, those that shorten paths first do not. One that has the name that
/// it has on the host is left alone: nothing else was asked for.
fn dotdot(specs: &[DirSpec], spec: &DirSpec) -> Option<String> {
    if spec.host == Path::new(&spec.guest) || !names(&spec.guest).any(|name| name == "..") {
        return None;
    }
    Some(format!(
        "programs that resolve `..` themselves, such as those built by Go, cannot reach the guest path `{}`; {}",
        printable_word(&spec.guest),
        another_name(specs, spec)
    ))
}

/// A proposal of a name that no other directory has.
fn another_name(specs: &[DirSpec], spec: &DirSpec) -> String {
    let own = spec.host.file_name().and_then(|name| name.to_str()).unwrap_or("host");
    let numbered = (2..).map(|number| format!("/{own}-{number}"));
    let mut candidates = std::iter::once(format!("/{own}")).chain(numbered);
    let free = candidates.find(|name| !specs.iter().any(|other| names(&other.guest).eq(names(name))));
    let typed = typed(&spec.host.to_string_lossy(), &free.unwrap_or_default(), spec.read_only);
    format!("another name helps: --dir {typed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_hide_others_are_seen() {
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
            "most programs cannot reach --dir /srv/data: to them `/a` is the same path as `./a`, where they find c; another name \
             helps: --dir /srv/data::/data::ro"
        );
        assert_eq!(three.lines().count(), 2);
        let help = "most programs find only the later, those built by Go only the earlier; another name helps: --dir";
        for (same, parts, name) in [
            (["a::/x", "b::/x::ro"], "--dir a::/x and --dir b::/x::ro", "a::/a"),
            (["b::/a", "c::/a"], "--dir b::/a and --dir c::/a", "b::/b"),
            (["x/a::/a", "c::/a"], "--dir x/a::/a and --dir c::/a", "x/a::/a-2"),
            ([".::ro", "."], "--dir .::ro and --dir .", ".::/host::ro"),
        ] {
            assert_eq!(hidden(&same), format!("{parts} have the same name: {help} {name}"));
        }
    }

    #[test]
    fn names_that_programs_hardly_find_are_seen() {
        let one = |typed: &str| warnings(&[DirSpec::parse(typed.into()).unwrap()], Some("/users/u")).join("\n");
        assert_eq!(
            one("a::~/x::ro"),
            "the shell did not replace `~` in the guest path `~/x`, and programs do not either; type --dir a::/users/u/x::ro"
        );
        for typed in ["dd::../x", "dd::/a/../x", "dd::.."] {
            assert!(one(typed).ends_with("; another name helps: --dir dd::/dd"), "{typed}: {}", one(typed));
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

    fn reading(typed: &str) -> String {
        let spec = DirSpec::parse(typed.into()).unwrap();
        let there = ["app", "a:b", "/srv/app", "/users/u/app", "/users/u"];
        other_reading(&spec, Some("/users/u"), |path| there.contains(&path)).unwrap_or_default()
    }

    #[test]
    fn other_readings_are_seen() {
        for (typed, hint) in [
            ("app:/work", "two colons stand between the parts; type --dir app::/work"),
            ("app:/work:ro", "two colons stand between the parts; type --dir app::/work::ro"),
            ("app:/work::ro", "two colons stand between the parts; type --dir app::/work::ro"),
            ("app:ro", "two colons stand between the parts; type --dir app::ro"),
            ("app:/work:readonly", "two colons stand between the parts; type --dir app::/work::ro"),
            ("app:rw", "two colons stand between the parts; type --dir app"),
            ("app:RO", "two colons stand between the parts; type --dir app::ro"),
            ("app:é", "two colons stand between the parts; type --dir app::é"),
            ("~/app:/work", "two colons stand between the parts; type --dir /users/u/app::/work"),
            ("a:b:/work", "two colons stand between the parts; type --dir a:b::/work"),
            ("app:", "nothing stands on one side of the colon; type --dir app"),
            (":app:ro", "nothing stands on one side of the colon; type --dir app::ro"),
            ("/work:app", "the host's directory stands first, and two colons behind it; type --dir app::/work"),
            ("/work:app:ro", "the host's directory stands first, and two colons behind it; type --dir app::/work::ro"),
            (
                "/work:~/app",
                "the host's directory stands first, and two colons behind it; type --dir /users/u/app::/work",
            ),
            ("/work::~/app", "the host's directory stands first; type --dir /users/u/app::/work"),
            ("/work::app", "the host's directory stands first; type --dir app::/work"),
            ("/my work::/srv/app::ro", "the host's directory stands first; type --dir '/srv/app::/my work::ro'"),
            ("~/app", "the shell did not replace `~` there; type --dir /users/u/app"),
            ("~/app::/work", "the shell did not replace `~` there; type --dir /users/u/app::/work"),
            ("~", "the shell did not replace `~` there; type --dir /users/u"),
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
            // It is there, so something else is wrong with it.
            "app",
            "/srv/app::app",
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
