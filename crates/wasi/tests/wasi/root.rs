//! The root directory above the granted ones, if none is granted as `/` or `.`.

use std::os::unix::fs::symlink;

use wasmr_wasi::{Errno, WasiCtx};

use crate::namespace::{contents, granted, names, readlink};
use crate::support::{CREAT, DIRECTORY, EXCL, Guest, OUT, READ, ROOT, TRUNC, WRITE, host_dir};

#[test]
fn the_root_lists_what_is_granted_and_leads_there() {
    let (temp, mut guest) = granted(&["/app", "/srv/data", "/srv/www/", "tools"]);
    std::fs::write(temp.path().join("d1/f"), "data").unwrap();
    let root = ROOT + 4;
    guest.call("fd_prestat_get", &[root.into(), OUT.into()]).unwrap();
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, 1));
    guest.call("fd_prestat_dir_name", &[root.into(), OUT.into(), 1]).unwrap();
    assert_eq!(guest.bytes(OUT, 1), b"/");
    assert_eq!(guest.call("fd_prestat_get", &[(root + 1).into(), OUT.into()]), Err(Errno::Badf), "it is the last");
    assert_eq!(guest.fdstat(root).unwrap().filetype, 3);

    let entries = guest.readdir_once(root, 999, 0).unwrap().0;
    assert_eq!(names(&entries), [".", "..", "app", "srv", "tools"]);
    assert!(entries.iter().all(|entry| entry.filetype == 3));
    let (first, used) = guest.readdir_once(root, 60, 0).unwrap();
    assert_eq!((first.len(), used), (2, 60));
    assert_eq!(guest.readdir_once(root, 999, 2).unwrap().0.len(), 3);
    let app = guest.stat_from(root, "app", true).unwrap();
    assert_eq!((app.ino, app.filetype), (entries[2].ino, 3));

    for path in ["srv", "./srv/", "srv/.", "srv/../srv", "app/../srv"] {
        if path.starts_with("app") {
            assert_eq!(guest.open_full(root, true, path.as_bytes(), 0, (0, 0), 0), Err(Errno::Perm), "above /app");
            continue;
        }
        let srv = guest.open_full(root, true, path.as_bytes(), DIRECTORY, (READ, 0), 0).unwrap();
        assert_eq!(names(&guest.readdir_once(srv, 999, 0).unwrap().0), [".", "..", "data", "www"], "{path}");
        assert_eq!(contents(&mut guest, srv, "data/f"), Ok("data".to_string()));
        assert_eq!(guest.stat_from(srv, "..", true), Err(Errno::Perm), "a directory is a root of its own");
        assert_eq!(guest.call("fd_prestat_get", &[srv.into(), OUT.into()]), Err(Errno::Badf));
        let (one, other) = (guest.fd_stat(srv).unwrap(), guest.fd_stat(root).unwrap());
        assert_eq!(one, guest.stat_from(root, path, true).unwrap());
        assert_ne!(one.ino, other.ino);
        guest.close(srv).unwrap();
    }
    assert_eq!(contents(&mut guest, root, "srv/data/f"), Ok("data".to_string()));
    assert_eq!(guest.link_between(root, false, "srv/data/f", root, "app/f"), Ok(()));
    assert_eq!(guest.rename_between(root, "srv/data/f", root, "app/g"), Ok(()));
    assert_eq!(contents(&mut guest, ROOT, "g"), Ok("data".to_string()));

    guest.close(ROOT).unwrap();
    assert_eq!(guest.stat_from(root, "app", true), Err(Errno::Noent), "the guest closed it");
}

#[test]
fn the_root_holds_nothing_else() {
    let (_temp, mut guest) = granted(&["/app", "/srv/data"]);
    let root = ROOT + 2;
    let r = u64::from(root);
    // libc returns the same error if no directory matches an absolute path.
    for path in ["etc", "etc/passwd", "ap", "apple", "srv/x", "srv/x/..", "etc/.."] {
        for oflags in [0, CREAT, CREAT | EXCL, TRUNC, DIRECTORY] {
            for base in [READ, WRITE] {
                let opened = guest.open_full(root, true, path.as_bytes(), oflags, (base, 0), 0);
                assert_eq!(opened, Err(Errno::Noent), "{path} {oflags:#x} {base:#x}");
            }
        }
        assert_eq!(guest.stat_from(root, path, true), Err(Errno::Noent));
        assert_eq!(readlink(&mut guest, root, path), Err(Errno::Noent));
        assert_eq!(guest.rename_between(ROOT, "x", root, path), Err(Errno::Noent));
        let [at, len] = guest.path(path);
        for call in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
            assert_eq!(guest.call(call, &[r, at, len]), Err(Errno::Noent), "{call} {path}");
        }
        assert_eq!(guest.call("path_symlink", &[at, len, r, at, len]), Err(Errno::Noent));
        assert_eq!(guest.call("path_filestat_set_times", &[r, 1, at, len, 1, 1, 5]), Err(Errno::Noent));
    }
    for path in [".", "srv"] {
        let [at, len] = guest.path(path);
        for (call, error) in [
            ("path_create_directory", Errno::Exist),
            ("path_remove_directory", Errno::Rofs),
            ("path_unlink_file", Errno::Rofs),
        ] {
            assert_eq!(guest.call(call, &[r, at, len]), Err(error), "{call} {path}");
        }
        assert_eq!(guest.call("path_filestat_set_times", &[r, 1, at, len, 1, 1, 5]), Err(Errno::Rofs));
        assert_eq!(guest.rename_between(root, path, ROOT, "x"), Err(Errno::Rofs));
        assert_eq!(readlink(&mut guest, root, path), Err(Errno::Inval));
        for (oflags, base, error) in [
            (0, WRITE, Errno::Isdir),
            (CREAT, READ, Errno::Isdir),
            (TRUNC, READ, Errno::Isdir),
            (CREAT | EXCL, READ, Errno::Exist),
            (CREAT | DIRECTORY, READ, Errno::Inval),
        ] {
            assert_eq!(
                guest.open_full(root, true, path.as_bytes(), oflags, (base, 0), 0),
                Err(error),
                "{path} {oflags:#x}"
            );
        }
    }
    assert_eq!(guest.stat_from(root, "/app", true), Err(Errno::Perm));
    assert_eq!(guest.stat_from(root, "..", true), Err(Errno::Perm));
    assert_eq!(guest.stat_from(root, "srv/../..", true), Err(Errno::Perm));
    assert_eq!((guest.read(root, 1), guest.write(root, b"x")), (Err(Errno::Isdir), Err(Errno::Badf)));
    assert_eq!((guest.pread(root, 1, 0), guest.pwrite(root, b"x", 0)), (Err(Errno::Isdir), Err(Errno::Badf)));
    assert_eq!(guest.seek(root, 0, 0), Err(Errno::Badf));
    assert_eq!(guest.call("fd_filestat_set_times", &[r, 1, 1, 5]), Err(Errno::Rofs));
    assert_eq!(guest.call("fd_filestat_set_size", &[r, 1]), Err(Errno::Badf));
    assert_eq!((guest.call("fd_sync", &[r]), guest.close(root)), (Ok(()), Ok(())));
    assert_eq!(guest.fdstat(root), Err(Errno::Badf));
}

#[test]
fn a_root_is_added_only_if_no_grant_takes_its_place() {
    let count = |guest: &mut Guest| {
        (ROOT..).take_while(|fd| guest.call("fd_prestat_get", &[(*fd).into(), OUT.into()]).is_ok()).count()
    };
    for (names, expected) in [
        (&[][..], 0),
        (&["/"], 1),
        (&["."], 1),
        (&["/app", "./"], 2),
        (&["/app", "//"], 2),
        (&["/app"], 2),
        (&["app", "/b/c"], 3),
    ] {
        let (_temp, mut guest) = granted(names);
        assert_eq!(count(&mut guest), expected, "{names:?}");
    }
    // A listener keeps its number.
    let temp = tempfile::tempdir().unwrap();
    let mut builder = WasiCtx::builder();
    builder.dir(host_dir(temp.path()), "/app", false);
    builder.listener(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let mut guest = Guest::new(builder.build().unwrap());
    assert_eq!((count(&mut guest), guest.fdstat(ROOT + 1).unwrap().filetype), (1, 6));
    // The added root does not count towards the limit on descriptors.
    let mut builder = WasiCtx::builder();
    builder.dir(host_dir(temp.path()), "/app", false).max_fds(5);
    let mut guest = Guest::new(builder.build().unwrap());
    assert_eq!(count(&mut guest), 2);
    assert!(guest.open("f", CREAT, WRITE).is_ok());
    assert_eq!(guest.open("f", CREAT, WRITE), Err(Errno::Mfile));
}

#[test]
fn a_link_to_a_virtual_directory_leads_there() {
    let (temp, mut guest) = granted(&["/app", "/srv/data"]);
    for (target, link) in [("/", "up"), ("/srv", "srv"), ("/srv/..", "odd"), ("/srv/none", "none"), ("/..", "above")] {
        symlink(target, temp.path().join("d0").join(link)).unwrap();
    }
    let root = ROOT + 2;
    for (link, listed) in
        [("up", &["app", "srv"][..]), ("odd", &["app", "srv"]), ("srv", &["data"]), ("up/srv", &["data"])]
    {
        let stat = guest.stat(link).unwrap();
        assert_eq!((stat.filetype, guest.lstat("up").unwrap().filetype), (3, 7));
        let fd = guest.open(link, DIRECTORY, READ).unwrap();
        assert_eq!(guest.fd_stat(fd), Ok(stat));
        assert_eq!(names(&guest.readdir_once(fd, 999, 0).unwrap().0)[2..], *listed, "{link}");
        assert_eq!(guest.call("fd_prestat_get", &[fd.into(), OUT.into()]), Err(Errno::Badf));
        guest.close(fd).unwrap();
    }
    assert_eq!(guest.stat("up/app").map(|stat| stat.filetype), Ok(3));
    assert_eq!(readlink(&mut guest, ROOT, "srv"), Ok("/srv".to_string()));
    assert_eq!(readlink(&mut guest, ROOT, "up/app/up"), Ok("/".to_string()));
    for link in ["none", "above"] {
        assert_eq!(guest.stat(link), Err(Errno::Perm), "{link}");
        assert_eq!(readlink(&mut guest, ROOT, link), Err(Errno::Perm), "{link}");
    }
    assert_eq!(guest.open("up", CREAT, WRITE), Err(Errno::Isdir));
    assert_eq!(guest.mkdir("up/srv/"), Err(Errno::Exist));
    assert_eq!(guest.set_times("up", true, 1, 1, 5), Err(Errno::Rofs));
    // Rights revoked from the root are missing through a link too. A root that the guest closed cannot be reached.
    let stat = guest.fdstat(root).unwrap();
    let left = [stat.base & !wasmr_wasi::rights::PATH_FILESTAT_GET, stat.inheriting & !WRITE];
    guest.call("fd_fdstat_set_rights", &[root.into(), left[0], left[1]]).unwrap();
    assert_eq!(guest.stat("up"), Err(Errno::Notcapable));
    let up = guest.open("up", DIRECTORY, READ).unwrap();
    assert_eq!(guest.fdstat(up).unwrap().inheriting & WRITE, 0);
    assert_eq!(guest.open_full(up, true, b"app/f", CREAT, (WRITE, 0), 0), Err(Errno::Notcapable));
    guest.close(root).unwrap();
    assert_eq!(guest.open("up", DIRECTORY, READ), Err(Errno::Perm));
}

#[test]
fn paths_from_the_root_continue_in_a_sole_directory() {
    let (temp, mut guest) = granted(&["/srv/data"]);
    let at = |path: &str| temp.path().join("d0").join(path);
    std::fs::write(temp.path().join("secret"), "SECRET").unwrap();
    std::fs::create_dir(at("srv")).unwrap();
    std::fs::write(at("srv/hidden"), "hidden").unwrap();
    let root = ROOT + 1;
    let r = u64::from(root);
    // Each call acts on `/` as on `/srv/data`.
    let on = |guest: &mut Guest, call: &str, path: &str| {
        let [at, len] = guest.path(path);
        guest.call(call, &[r, at, len])
    };
    assert_eq!(on(&mut guest, "path_create_directory", "d"), Ok(()));
    let fd = guest.open_full(root, true, b"./d/f", CREAT | EXCL, (WRITE, 0), 0).unwrap();
    assert_eq!(guest.write(fd, b"text"), Ok(4));
    assert_eq!(contents(&mut guest, root, "d//f"), Ok("text".to_string()));
    assert_eq!(contents(&mut guest, root, "srv/../d/f"), Ok("text".to_string()));
    assert_eq!(contents(&mut guest, ROOT, "d/f"), Ok("text".to_string()));
    assert_eq!(guest.stat_from(root, "d/f", true), guest.stat("d/f"));
    assert_eq!(guest.rename_between(root, "d/f", root, "g"), Ok(()));
    assert_eq!(guest.link_between(root, false, "g", root, "srv/data/h"), Ok(()));
    let [from, len] = guest.path_bytes(0, b"g");
    let [to, to_len] = guest.path_bytes(1, b"l");
    assert_eq!(guest.call("path_symlink", &[from, len, r, to, to_len]), Ok(()));
    assert_eq!(readlink(&mut guest, root, "l"), Ok("g".to_string()));
    assert_eq!(contents(&mut guest, root, "l"), Ok("text".to_string()));
    let [path, len] = guest.path("g");
    assert_eq!(guest.call("path_filestat_set_times", &[r, 1, path, len, 7, 8, 5]), Ok(()));
    assert_eq!(guest.stat("h").unwrap().mtim, 8);
    for name in ["g", "h", "l"] {
        assert_eq!(on(&mut guest, "path_unlink_file", name), Ok(()), "{name}");
    }
    assert_eq!(on(&mut guest, "path_remove_directory", "d/"), Ok(()));
    assert!(!at("d").exists() && !at("g").exists());

    // The root itself and the directories towards the grant do not change.
    assert_ne!(guest.fd_stat(root).unwrap().ino, guest.fd_stat(ROOT).unwrap().ino);
    assert_eq!(guest.stat_from(root, ".", true), guest.fd_stat(root));
    for path in ["srv/hidden", "srv/x", "nosuch", "nosuch/x"] {
        assert_eq!(contents(&mut guest, root, path), Err(Errno::Noent), "{path}");
    }
    for (call, path, error) in [
        ("path_create_directory", "srv", Errno::Exist),
        ("path_create_directory", "srv/x", Errno::Noent),
        ("path_remove_directory", "srv", Errno::Rofs),
        ("path_create_directory", "srv/data", Errno::Exist),
    ] {
        assert_eq!(on(&mut guest, call, path), Err(error), "{call} {path}");
    }
    // No path leads outside.
    symlink("../secret", at("rel")).unwrap();
    symlink(temp.path().join("secret"), at("abs")).unwrap();
    for (path, error) in [
        ("../secret", Errno::Perm),
        ("./../secret", Errno::Perm),
        ("srv/../../secret", Errno::Perm),
        ("rel/../../secret", Errno::Perm),
        ("rel", Errno::Perm),
        ("abs", Errno::Noent),
        ("/rel", Errno::Perm),
    ] {
        assert_eq!(contents(&mut guest, root, path), Err(error), "{path}");
        let created = guest.open_full(root, true, path.as_bytes(), CREAT, (WRITE, 0), 0);
        assert_eq!(created, Err(error), "{path}");
    }
    // Absolute links lead where the guest's own paths lead.
    symlink("/made", at("to_made")).unwrap();
    guest.open_full(root, true, b"to_made", CREAT, (WRITE, 0), 0).unwrap();
    assert!(at("made").exists());
    assert_eq!(readlink(&mut guest, ROOT, "to_made"), Ok("/made".to_string()));
    // A grant that the guest closed cannot be reached.
    guest.close(ROOT).unwrap();
    assert_eq!(guest.stat_from(root, "made", true), Err(Errno::Noent));
    assert_eq!(names(&guest.readdir_once(root, 999, 0).unwrap().0), [".", ".."]);
}

#[test]
fn the_root_of_a_single_directory_lists_it() {
    let (temp, mut guest) = granted(&["app/x"]);
    for name in ["app", "a", "b", "c", "d"] {
        std::fs::write(temp.path().join("d0").join(name), "").unwrap();
    }
    let root = ROOT + 1;
    let listed = |guest: &mut Guest, cookie| guest.readdir_once(root, 999, cookie).unwrap().0;
    let all = listed(&mut guest, 0);
    assert_eq!(names(&all)[..3], [".", "..", "app"]);
    let mut rest = names(&all)[3..].to_vec();
    rest.sort_unstable();
    assert_eq!(rest, ["a", "b", "c", "d"]);
    assert!(all[3..].iter().all(|entry| entry.filetype == 4 && guest.stat(&entry.name).unwrap().ino == entry.ino));
    // The listing returns each file once, although the guest deletes the ones before it. Only cookie 0 reads the directory
    // again.
    let mut cookie = 3;
    for entry in &all[3..] {
        let (next, _) = guest.readdir_once(root, 26, cookie).unwrap();
        assert_eq!(next[0], *entry);
        cookie = next[0].next;
        let [path, len] = guest.path(&entry.name);
        assert_eq!(guest.call("path_unlink_file", &[root.into(), path, len]), Ok(()));
    }
    assert_eq!(listed(&mut guest, cookie), []);
    assert_eq!(listed(&mut guest, 3), all[3..]);
    assert_eq!(names(&listed(&mut guest, 0)), [".", "..", "app"]);
    // A second descriptor of the root lists the same.
    std::fs::write(temp.path().join("d0/new"), "").unwrap();
    let again = guest.open_full(root, true, b".", DIRECTORY, (READ, 0), 0).unwrap();
    assert_eq!(names(&guest.readdir_once(again, 999, 0).unwrap().0), [".", "..", "app", "new"]);
    assert_eq!(contents(&mut guest, again, "new"), Ok(String::new()));
    let app = guest.open_full(root, true, b"app", DIRECTORY, (READ, 0), 0).unwrap();
    assert_eq!(names(&guest.readdir_once(app, 999, 0).unwrap().0), [".", "..", "x"]);
    assert_eq!(contents(&mut guest, app, "new"), Err(Errno::Noent), "only paths from the root continue");
    // The grant's rights decide.
    let stat = guest.fdstat(ROOT).unwrap();
    let base = stat.base & !wasmr_wasi::rights::FD_READDIR;
    guest.call("fd_fdstat_set_rights", &[ROOT.into(), base, stat.inheriting]).unwrap();
    assert_eq!(guest.readdir_once(again, 999, 0), Err(Errno::Notcapable));
}

#[test]
fn the_root_of_a_single_directory_has_the_rights_of_the_grant() {
    let (temp, mut guest) = granted(&["/app::ro"]);
    std::fs::write(temp.path().join("d0/f"), "f").unwrap();
    let root = ROOT + 1;
    assert_eq!(contents(&mut guest, root, "f"), Ok("f".to_string()));
    for (path, oflags, base) in [("f", 0, WRITE), ("f", TRUNC, READ), ("new", CREAT, READ), ("new", CREAT | EXCL, READ)]
    {
        assert_eq!(guest.open_full(root, true, path.as_bytes(), oflags, (base, 0), 0), Err(Errno::Rofs), "{path}");
    }
    for call in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
        let [path, len] = guest.path("f");
        assert_eq!(guest.call(call, &[root.into(), path, len]), Err(Errno::Rofs), "{call}");
    }
    assert_eq!(guest.rename_between(root, "f", root, "g"), Err(Errno::Rofs));
    assert_eq!(std::fs::read_dir(temp.path().join("d0")).unwrap().count(), 1);

    let (_temp, mut guest) = granted(&["/app"]);
    let stat = guest.fdstat(ROOT).unwrap();
    let left = [stat.base & !wasmr_wasi::rights::PATH_UNLINK_FILE, stat.inheriting & !WRITE];
    guest.call("fd_fdstat_set_rights", &[ROOT.into(), left[0], left[1]]).unwrap();
    let [path, len] = guest.path("f");
    assert_eq!(guest.call("path_unlink_file", &[root.into(), path, len]), Err(Errno::Notcapable));
    assert_eq!(guest.open_full(root, true, b"f", CREAT, (WRITE, 0), 0), Err(Errno::Notcapable));
}

#[test]
fn paths_from_the_root_do_not_continue_if_two_directories_were_granted() {
    let (temp, mut guest) = granted(&["/app", "/b"]);
    std::fs::write(temp.path().join("d0/f"), "f").unwrap();
    let root = ROOT + 2;
    assert_eq!(contents(&mut guest, root, "f"), Err(Errno::Noent));
    guest.close(ROOT + 1).unwrap();
    assert_eq!(contents(&mut guest, root, "f"), Err(Errno::Noent));
    assert_eq!(names(&guest.readdir_once(root, 999, 0).unwrap().0), [".", "..", "app"]);
}
