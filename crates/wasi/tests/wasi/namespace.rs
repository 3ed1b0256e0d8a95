//! The guest's namespace: absolute symbolic links.

use std::os::unix::fs::symlink;

use wasmr_wasi::{Errno, WasiCtx};

use crate::support::{CREAT, DIRECTORY, EXCL, Entry, Guest, OUT, READ, ROOT, TRUNC, WRITE, host_dir};

/// Returns a guest with these guest paths granted in this order, each to a directory of its own below the temporary one: `d0`,
/// `d1`, …
pub fn granted(names: &[&str]) -> (tempfile::TempDir, Guest) {
    let temp = tempfile::tempdir().unwrap();
    let mut builder = WasiCtx::builder();
    for (index, name) in names.iter().enumerate() {
        let path = temp.path().join(format!("d{index}"));
        std::fs::create_dir(&path).unwrap();
        let (name, read_only) = name.strip_suffix("::ro").map_or((*name, false), |name| (name, true));
        builder.dir(host_dir(&path), name, read_only);
    }
    let guest = Guest::new(builder.build().unwrap());
    (temp, guest)
}

/// Reads a whole file below `dir`.
pub fn contents(guest: &mut Guest, dir: u32, path: &str) -> Result<String, Errno> {
    let fd = guest.open_full(dir, true, path.as_bytes(), 0, (READ, 0), 0)?;
    let text = guest.read(fd, 99);
    guest.close(fd).unwrap();
    text.map(|bytes| String::from_utf8(bytes).unwrap())
}

pub fn readlink(guest: &mut Guest, dir: u32, path: &str) -> Result<String, Errno> {
    let [ptr, len] = guest.path(path);
    guest.call("path_readlink", &[dir.into(), ptr, len, 0x8000, 500, OUT.into()])?;
    Ok(String::from_utf8(guest.bytes(0x8000, guest.u32(OUT)).to_vec()).unwrap())
}

pub fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| &*entry.name).collect()
}

#[test]
fn an_absolute_link_leads_into_the_directory_of_that_name() {
    let (temp, mut guest) = granted(&["/data", "/data/sub", "other"]);
    let at = |path: &str| temp.path().join(path);
    std::fs::create_dir(at("d0/e")).unwrap();
    for (path, text) in [("d0/f", "f"), ("d0/e/g", "g"), ("d1/h", "h"), ("d2/i", "i")] {
        std::fs::write(at(path), text).unwrap();
    }
    for (target, link) in [
        ("/data/f", "f_abs"),
        ("/data/e", "e_abs"),
        ("//data/./e/", "e_odd"),
        ("/data", "whole"),
        ("/data/sub/h", "nested"),
        ("/other/i", "relative_name"),
        ("e/../f_abs", "chain"),
        ("/data/chain", "chain2"),
        ("/database/f", "no_name"),
        ("/etc/passwd", "etc"),
        ("/data/../data/f", "dotdot"),
        ("/data/missing", "dangling"),
        ("/data/loop", "loop"),
    ] {
        symlink(target, at("d0").join(link)).unwrap();
    }
    let mut read = |path: &str| contents(&mut guest, ROOT, path);
    for (path, text) in [
        ("f_abs", "f"),
        ("e_abs/g", "g"),
        ("e_odd/g", "g"),
        ("e_abs/../f", "f"),
        ("e_abs/../e_abs/./g", "g"),
        ("whole/f", "f"),
        ("whole/whole/whole/e/g", "g"),
        ("whole/sub/h", "h"),
        ("nested", "h"),
        ("relative_name", "i"),
        ("chain", "f"),
        ("chain2", "f"),
    ] {
        assert_eq!(read(path), Ok(text.to_string()), "{path}");
    }
    for path in [
        "/f_abs",
        "/whole/f",
        "//data/f",
        "no_name",
        "etc",
        "etc/x",
        "dotdot",
        "whole/..",
        "e_abs/../..",
        "e_abs/../../f",
    ] {
        assert_eq!(read(path), Err(Errno::Perm), "{path}");
    }
    assert_eq!(read("dangling"), Err(Errno::Noent));
    assert_eq!(read("f_abs/x"), Err(Errno::Notdir));
    assert_eq!(read("f_abs/"), Err(Errno::Notdir));
    assert_eq!(read("loop"), Err(Errno::Loop));
    assert_eq!(read("whole/loop/x"), Err(Errno::Loop));

    // An opened directory is a root of its own, but absolute links do not start from it.
    let e = guest.open("e", DIRECTORY, READ).unwrap();
    symlink("/data/f", at("d0/e/f_abs")).unwrap();
    symlink("../f", at("d0/e/f_rel")).unwrap();
    assert_eq!(contents(&mut guest, e, "f_abs"), Ok("f".to_string()));
    assert_eq!(contents(&mut guest, e, "f_rel"), Err(Errno::Perm));
    // The guest loses a directory that it closes.
    guest.close(ROOT + 1).unwrap();
    assert_eq!(contents(&mut guest, ROOT, "nested"), Err(Errno::Noent), "/data/sub/h is now below /data");
    guest.close(ROOT).unwrap();
    assert_eq!(contents(&mut guest, e, "f_abs"), Err(Errno::Perm));
}

#[test]
fn every_call_goes_through_an_absolute_link() {
    let (temp, mut guest) = granted(&["/a", "/b"]);
    let b = temp.path().join("d1");
    symlink("/b", temp.path().join("d0/l")).unwrap();
    symlink("/b/new", temp.path().join("d0/to_new")).unwrap();
    guest.mkdir("l/d").unwrap();
    guest.create("l/d/f", b"text");
    assert_eq!(std::fs::read(b.join("d/f")).unwrap(), b"text");
    assert_eq!(guest.stat("l/d/f").unwrap().size, 4);
    assert_eq!((guest.stat("l").unwrap().filetype, guest.lstat("l").unwrap().filetype), (3, 7));
    assert_eq!(guest.lstat("l/").unwrap().filetype, 3, "a slash follows");
    guest.set_times("l/d/f", true, 7, 8, 5).unwrap();
    guest.set_times("l/d", false, 7, 9, 5).unwrap();
    assert_eq!((guest.stat("l/d/f").unwrap().mtim, guest.stat("l/d").unwrap().mtim), (8, 9));
    guest.symlink("d/f", "l/s").unwrap();
    assert_eq!(guest.readlink("l/s", 9), Ok("d/f".to_string()));
    guest.link("l/d/f", "l/hard").unwrap();
    guest.rename("l/hard", "l/d/moved").unwrap();
    guest.rename("l/d/moved", "moved").unwrap();
    guest.rename("moved", "l/back").unwrap();
    let list = guest.open("l", DIRECTORY, READ).unwrap();
    let mut listed = guest.readdir_once(list, 999, 0).unwrap().0;
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(names(&listed), [".", "..", "back", "d", "s"]);
    guest.unlink("l/back").unwrap();
    guest.unlink("l/d/f").unwrap();
    guest.rmdir("l/d").unwrap();
    assert!(!b.join("d").exists());

    // A dangling link names the file to create, unless the name must be new.
    assert_eq!(guest.open("to_new", CREAT | EXCL, WRITE), Err(Errno::Exist));
    guest.open("to_new", CREAT, WRITE).unwrap();
    assert!(b.join("new").exists());
    // Calls about the name itself do not follow it.
    let not = |result: Result<u32, Errno>| assert_eq!(result, Err(Errno::Loop));
    not(guest.open_full(ROOT, false, b"to_new", 0, (READ, 0), 0));
    assert_eq!(guest.rmdir("l"), Err(Errno::Notdir));
    assert_eq!(guest.mkdir("l"), Err(Errno::Exist));
    guest.rename("l", "renamed").unwrap();
    guest.unlink("renamed").unwrap();
    assert!(b.join("new").exists());
}

#[test]
fn the_directory_that_a_link_leads_into_decides_read_only() {
    let (temp, mut guest) = granted(&["/ro::ro", "/rw"]);
    let at = |path: &str| temp.path().join(path);
    for (file, text) in [("d0/f", "ro"), ("d1/f", "rw")] {
        std::fs::write(at(file), text).unwrap();
    }
    symlink("/rw", at("d0/to_rw")).unwrap();
    symlink("/ro", at("d1/to_ro")).unwrap();
    symlink("/nowhere", at("d0/out")).unwrap();
    let (ro, rw) = (ROOT, ROOT + 1);
    assert_eq!(contents(&mut guest, rw, "to_ro/f"), Ok("ro".to_string()));
    for (oflags, base) in [(0, WRITE), (TRUNC, READ), (CREAT | TRUNC, WRITE), (0, READ | WRITE)] {
        assert_eq!(guest.open_full(rw, true, b"to_ro/f", oflags, (base, 0), 0), Err(Errno::Rofs));
        assert!(guest.open_full(ro, true, b"to_rw/f", oflags, (base, 0), 0).is_ok());
        assert_eq!(guest.open_full(ro, true, b"out/f", oflags, (base, 0), 0), Err(Errno::Rofs));
    }
    let fd = guest.open_full(rw, true, b"to_ro/f", 0, (READ, 0), 0).unwrap();
    assert_eq!(guest.call("fd_filestat_set_times", &[fd.into(), 1, 1, 5]), Err(Errno::Rofs));
    let below = guest.open_full(rw, true, b"to_ro", DIRECTORY, (READ, 0), 0).unwrap();
    assert_eq!(guest.open_full(below, true, b"new", CREAT, (WRITE, 0), 0), Err(Errno::Rofs));
    for (dir, path, expected) in
        [(rw, "to_ro/d", Err(Errno::Rofs)), (ro, "to_rw/d", Ok(())), (ro, "d", Err(Errno::Rofs))]
    {
        let [at, len] = guest.path(path);
        for call in ["path_create_directory", "path_remove_directory"] {
            assert_eq!(guest.call(call, &[dir.into(), at, len]), expected, "{call} {path}");
        }
    }
    assert_eq!(guest.rename_between(rw, "f", rw, "to_ro/g"), Err(Errno::Rofs));
    assert_eq!(guest.rename_between(ro, "to_rw/f", ro, "to_rw/g"), Ok(()));
    assert_eq!(guest.rename_between(ro, "f", rw, "g"), Err(Errno::Rofs));
    assert_eq!(guest.link_between(rw, false, "to_ro/f", rw, "g2"), Err(Errno::Rofs));
    assert_eq!(std::fs::read_dir(at("d0")).unwrap().count(), 3, "nothing new");
    assert_eq!(std::fs::read(at("d0/f")).unwrap(), b"ro");
}

#[test]
fn revoked_rights_of_a_directory_apply_through_a_link() {
    let (temp, mut guest) = granted(&["/a", "/b"]);
    symlink("/b", temp.path().join("d0/l")).unwrap();
    std::fs::write(temp.path().join("d1/f"), "f").unwrap();
    let (stat, b) = (guest.fdstat(ROOT + 1).unwrap(), u64::from(ROOT + 1));
    let base = stat.base & !wasmr_wasi::rights::PATH_UNLINK_FILE;
    guest.call("fd_fdstat_set_rights", &[b, base, stat.inheriting & !WRITE]).unwrap();
    assert_eq!(guest.unlink("l/f"), Err(Errno::Notcapable));
    assert_eq!(guest.open("l/f", 0, WRITE), Err(Errno::Notcapable));
    assert_eq!(contents(&mut guest, ROOT, "l/f"), Ok("f".to_string()));

    // Rights revoked from the directory where the path begins apply at its end too.
    for start in [ROOT, ROOT + 2] {
        let (temp, mut guest) = granted(&["/a", "/b"]);
        symlink("/b", temp.path().join("d0/b")).unwrap();
        std::fs::write(temp.path().join("d1/f"), "f").unwrap();
        let stat = guest.fdstat(start).unwrap();
        let left = [stat.base & !wasmr_wasi::rights::PATH_FILESTAT_SET_SIZE, stat.inheriting & !WRITE];
        guest.call("fd_fdstat_set_rights", &[start.into(), left[0], left[1]]).unwrap();
        for (path, oflags) in [("b", DIRECTORY), ("b/.", 0)] {
            let below = guest.open_full(start, true, path.as_bytes(), oflags, (READ, READ | WRITE), 0).unwrap();
            assert_eq!(guest.open_full(below, true, b"f", 0, (WRITE, 0), 0), Err(Errno::Notcapable));
        }
        assert_eq!(guest.open_full(start, true, b"b/f", 0, (WRITE, 0), 0), Err(Errno::Notcapable));
        assert_eq!(guest.open_full(start, true, b"b/f", TRUNC, (READ, 0), 0), Err(Errno::Perm));
        assert_eq!(contents(&mut guest, start, "b/f"), Ok("f".to_string()));
    }
}

#[test]
fn an_absolute_link_may_hold_a_host_path() {
    for name in ["/app", ".", "/"] {
        let (temp, mut guest) = granted(&[name]);
        let real = temp.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("d0/e")).unwrap();
        std::fs::create_dir(real.join("beside")).unwrap();
        std::fs::write(real.join("d0/e/f"), "inside").unwrap();
        std::fs::write(real.join("beside/f"), "SECRET").unwrap();
        for (target, link) in [
            (real.join("d0/e/f"), "f"),
            (real.join("d0"), "all"),
            (real.join("beside/f"), "out"),
            (real.join("d0/../beside/f"), "up"),
            (real.join("d0x"), "prefix"),
            ("/etc/passwd".into(), "odd"),
        ] {
            symlink(target, real.join("d0").join(link)).unwrap();
        }
        assert_eq!(contents(&mut guest, ROOT, "f"), Ok("inside".to_string()), "{name}");
        assert_eq!(contents(&mut guest, ROOT, "all/all/e/f"), Ok("inside".to_string()), "{name}");
        // A path that matches no guest path but `/` or `.`, or continues in the sole directory, does not exist there.
        for (link, error) in
            [("out", Errno::Noent), ("up", Errno::Perm), ("prefix", Errno::Noent), ("odd", Errno::Noent)]
        {
            assert_eq!(contents(&mut guest, ROOT, link), Err(error), "{name} {link}");
            assert_eq!(readlink(&mut guest, ROOT, link), Err(Errno::Perm), "{name} {link}");
        }
        let text = match name {
            "." => Err(Errno::Perm),
            name => Ok(format!("{}/e/f", name.trim_end_matches('/'))),
        };
        assert_eq!(readlink(&mut guest, ROOT, "f"), text, "{name}");
    }
}

#[test]
fn readlink_shows_absolute_targets_that_lead_to_a_file() {
    let (temp, mut guest) = granted(&["/data"]);
    std::fs::write(temp.path().join("d0/f"), "f").unwrap();
    for (target, link) in [("/data/./f", "f_abs"), ("/data/none", "dangling"), ("/etc/passwd", "etc"), ("/data", "all")]
    {
        symlink(target, temp.path().join("d0").join(link)).unwrap();
    }
    assert_eq!(readlink(&mut guest, ROOT, "f_abs"), Ok("/data/./f".to_string()));
    assert_eq!(readlink(&mut guest, ROOT, "all/all"), Ok("/data".to_string()));
    assert_eq!(readlink(&mut guest, ROOT, "all/"), Err(Errno::Inval));
    for link in ["dangling", "etc", "all/etc"] {
        assert_eq!(readlink(&mut guest, ROOT, link), Err(Errno::Perm), "{link}");
    }
    // The guest itself cannot make absolute links.
    assert_eq!(guest.symlink("/data/f", "mine"), Err(Errno::Perm));
}

#[test]
fn expanding_links_takes_bounded_time() {
    let (temp, mut guest) = granted(&["/a"]);
    symlink("/a", temp.path().join("d0/abs")).unwrap();
    let deep = "d/".repeat(500);
    std::fs::create_dir_all(temp.path().join("d0").join(&deep)).unwrap();
    // Links that lead down and up again, each through the next.
    let long = format!("{deep}{}", "../".repeat(500));
    for index in 0..39 {
        let next = if index == 38 { "abs".to_string() } else { format!("l{}", index + 1) };
        guest.symlink(&format!("{long}{next}"), &format!("l{index}")).unwrap();
    }
    let begin = std::time::Instant::now();
    let _ = guest.stat("l0/missing");
    let _ = guest.stat(&format!("abs/{}", "d/../".repeat(800)));
    assert!(begin.elapsed() < std::time::Duration::from_secs(5), "{:?}", begin.elapsed());
    for index in 0..45 {
        symlink(format!("/a/m{}", index + 1), temp.path().join(format!("d0/m{index}"))).unwrap();
    }
    std::fs::write(temp.path().join("d0/m45"), "end").unwrap();
    assert_eq!(contents(&mut guest, ROOT, "m6"), Ok("end".to_string()));
    assert_eq!(contents(&mut guest, ROOT, "m4"), Err(Errno::Loop));
}
