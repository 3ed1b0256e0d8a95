//! Directories to grant: which other reading of a `--dir` that cannot be opened would make sense, and which directories hide others.
//!
//! Pure: asks about the host through a closure.

use std::path::Path;

use super::missing::shell_word;
use super::report::printable_word;
use super::values::DirSpec;

/// What to type instead of a directory that cannot be opened, if another reading of the same words exists on the host.
///
/// Those are `HOST:GUEST` as of containers, `GUEST::HOST`, a `~` that no shell has replaced, and a file in place of its
/// directory. `home` is the user's home directory.
pub fn other_reading(spec: &DirSpec, home: Option<&str>, is_dir: impl Fn(&str) -> bool) -> Option<String> {
    let host = spec.host.to_str()?;
    let renamed = spec.guest != host;
    let option = |host: &str, guest: Option<&str>, read_only: bool| {
        let guest = guest.map(|guest| format!("::{guest}")).unwrap_or_default();
        shell_word(&printable_word(format!("{host}{guest}{}", if read_only { "::ro" } else { "" })))
    };
    let own_guest = renamed.then_some(&*spec.guest);

    if let Some(rest) = host.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        let expanded = format!("{}{rest}", home?);
        let typed = option(&expanded, own_guest, spec.read_only);
        return is_dir(&expanded).then(|| format!("the shell did not replace `~` there; type --dir {typed}"));
    }
    if !renamed && host.contains(':') {
        let (words, read_only) = match host.strip_suffix(":ro") {
            Some(words) => (words, true),
            None => (host.strip_suffix(":rw").unwrap_or(host), spec.read_only),
        };
        let (host, guest) = words.split_once(':').map_or((words, None), |(host, guest)| (host, Some(guest)));
        let guest = guest.filter(|guest| !guest.is_empty());
        return is_dir(host)
            .then(|| format!("two colons stand between the parts; type --dir {}", option(host, guest, read_only)));
    }
    if renamed && is_dir(&spec.guest) {
        let typed = option(&spec.guest, Some(host), spec.read_only);
        return Some(format!("the host's directory stands first; type --dir {typed}"));
    }
    None
}

/// What to type if the path is that of a file.
pub fn directory_of_file(spec: &DirSpec, is_file: impl Fn(&Path) -> bool) -> Option<String> {
    if !is_file(&spec.host) {
        return None;
    }
    let parent = spec.host.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(format!("it is a file; grant its directory: --dir {}", shell_word(&printable_word(parent))))
}

/// What to say about directories that hide others: to programs, paths with and without `/` or `./` in front are the same, and
/// of two directories with the same path they use the last.
pub fn warnings(specs: &[DirSpec]) -> Vec<String> {
    let names = |spec: &DirSpec| -> Vec<String> {
        spec.guest.split('/').filter(|name| !name.is_empty() && *name != ".").map(str::to_string).collect()
    };
    let hidden = specs.iter().enumerate().filter_map(|(index, spec)| {
        let by = specs[index + 1..].iter().rfind(|other| names(other) == names(spec))?;
        let free = spec.host.file_name().and_then(|name| name.to_str()).unwrap_or("host");
        Some(format!(
            "most programs cannot reach --dir {}: to them `{}` is the same path as `{}`, where they find {}; \
             another name helps: --dir {}",
            printable_word(&spec.host),
            printable_word(&spec.guest),
            printable_word(&by.guest),
            printable_word(&by.host),
            shell_word(&printable_word(format!(
                "{}::/{free}{}",
                spec.host.to_string_lossy(),
                if spec.read_only { "::ro" } else { "" }
            ))),
        ))
    });
    hidden.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_hide_others_are_seen() {
        let hidden = |typed: &[&str]| {
            let specs: Vec<DirSpec> = typed.iter().map(|typed| DirSpec::parse(typed.into()).unwrap()).collect();
            warnings(&specs).join("\n")
        };
        for fine in [&["/", "a"][..], &["a", "b::/b", "a/b"], &["."], &[], &["../x", "x"]] {
            assert_eq!(hidden(fine), "", "{fine:?}");
        }
        for same in [&["/", "."][..], &[".", "x::/"], &["a", "x::/a/"], &["a", "x::./a"], &["a::/a", "a"]] {
            assert!(hidden(same).starts_with("most programs cannot reach --dir "), "{same:?}");
        }
        let three = hidden(&["/srv/data::/a::ro", "b::a", "c::./a"]);
        assert_eq!(
            three.lines().next().unwrap(),
            "most programs cannot reach --dir /srv/data: to them `/a` is the same path as `./a`, where they find c; another name \
             helps: --dir /srv/data::/data::ro"
        );
        assert_eq!(three.lines().count(), 2);
    }

    fn reading(typed: &str) -> String {
        let spec = DirSpec::parse(typed.into()).unwrap();
        let there = ["app", "/srv/app", "/users/u/app", "/users/u"];
        other_reading(&spec, Some("/users/u"), |path| there.contains(&path)).unwrap_or_default()
    }

    #[test]
    fn other_readings_are_seen() {
        for (typed, hint) in [
            ("app:/work", "two colons stand between the parts; type --dir app::/work"),
            ("app:/work:ro", "two colons stand between the parts; type --dir app::/work::ro"),
            ("app:/work::ro", "two colons stand between the parts; type --dir app::/work::ro"),
            ("app:ro", "two colons stand between the parts; type --dir app::ro"),
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
        for typed in ["nosuch", "nosuch:/work", "/x::/y", "~/nosuch", "~other/app", "nosuch::/work::ro"] {
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
