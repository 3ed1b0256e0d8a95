//! Remembers the content hash of a file by the file's state, so that a large module need not be hashed in every run.
//!
//! A record has device, inode number, size, modification time and change time of the file, to the nanosecond, and its
//! content hash. It is a file of its own in `files/`, named by a hash of device and inode number. It counts only if all these
//! are equal.
//!
//! # Why can the state stand for the content?
//! A write to a file sets both its times to now, and nobody can set the change time to another value ([POSIX]). A change goes
//! unnoticed only if the times before and after are equal, because the file system's clock has not ticked between them. git calls
//! such an index entry [racily clean]. A file is therefore *settled*, and gets a record, only if both times were at least
//! [`SETTLED_AFTER`] ago when its state was read. A write after that leaves later times, including one between
//! the reading of the state and the hashing of the content.
//!
//! This depends on the file system and on everybody who can write the file, and a false record would let a module pass as
//! validated that is not. A file has a record only if its state is *reliable*:
//!
//! - The file belongs to the effective user or to root, and nobody else has write permission. Another user could write through a
//!   shared mapping: the times are set when a page becomes dirty, and not again before it has been written back. The group may
//!   write if its number is that of the owner: such a group is the user's own, and systems that make one for each user also make
//!   files writable for it.
//! - The file is on a file system of this machine's kernel and disks ([`LOCAL`]). A server, or a file system in user space, returns
//!   times and contents as it likes, and a server has a clock of its own.
//!
//! The rule fails for a user who writes a module through a mapping of his own more than 3 s after he began and runs it
//! meanwhile, and for a file system that was made to deceive, on a device that the user mounts.
//!
//! The state is *stable* if it is reliable and the file settled. It then also tells, at any later time, if the content is still the
//! same ([`FileState::is_unchanged`]).
//!
//! Only Linux reports the kind of a file system in a form that is read here. Other systems have no records.
//!
//! [POSIX]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/futimens.html
//! [racily clean]: https://git-scm.com/docs/racy-git

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::geteuid;

use crate::directory::{Directory, is_hash_with};
use crate::{Cache, Content};

/// Age of a file's times from which the file is settled. The coarsest clock of a local file system ticks every 2 s.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// Magic numbers of file systems whose times and contents come from this machine's kernel ([statfs]): btrfs, bcachefs, EROFS,
/// ext2 to ext4, F2FS, overlayfs, SquashFS, tmpfs, XFS, ZFS.
///
/// [statfs]: https://man7.org/linux/man-pages/man2/statfs.2.html
#[cfg(target_os = "linux")]
const LOCAL: &[u32] = &[
    0x9123_683e,
    0xca45_1a4e,
    0xe0f5_e1e2,
    0x0000_ef53,
    0xf2f5_2010,
    0x794c_7630,
    0x7371_7368,
    0x0102_1994,
    0x5846_5342,
    0x2fc1_2fc1,
];

/// Folder of the records.
pub(crate) const FOLDER: &str = "files";

/// Largest number of records and notes together.
const MAX_RECORDS: usize = 4096;

/// First bytes of a record, with a version.
const MAGIC: [u8; 8] = *b"wasmrfs\x01";

/// Bytes of a file's state: device, inode number, size; seconds and nanoseconds of modification and change.
const STATE_LEN: usize = 7 * 8;

/// Bytes of a hash.
const HASH_LEN: usize = 32;

/// Bytes of a record: magic number, state, content hash, checksum.
const RECORD_LEN: usize = MAGIC.len() + STATE_LEN + 2 * HASH_LEN;

/// State of a file that tells if its content has changed.
#[derive(Clone, Debug)]
pub struct FileState {
    file: Arc<File>,
    state: [u8; STATE_LEN],
    /// Only trusted users can write the file, and its file system reports all changes.
    is_reliable: bool,
    /// The file was last changed so long ago that a change from now on leaves another state.
    is_settled: bool,
}

impl FileState {
    /// Reads the state of a file. Call this before reading the content of the file.
    pub fn of(file: &File) -> io::Result<FileState> {
        // The clock is read first: a change after the state was read is then later.
        FileState::at(SystemTime::now(), file)
    }

    /// Does the same as [`of`](FileState::of) with a time that the clock showed before.
    fn at(now: SystemTime, file: &File) -> io::Result<FileState> {
        let metadata = file.metadata()?;
        let changes = [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())];
        Ok(FileState {
            file: Arc::new(file.try_clone()?),
            state: state(&metadata),
            is_reliable: has_trusted_writers(&metadata, geteuid().as_raw()) && is_local(file),
            is_settled: changes.into_iter().all(|change| is_settled(change, now)),
        })
    }

    /// Returns true if every later change of the file will be seen. A file that is not stable may change without a trace while it is
    /// mapped.
    pub fn is_stable(&self) -> bool {
        self.is_reliable && self.is_settled
    }

    /// Returns true if the file is stable and has not changed since its state was read. Everything that was read from it before this
    /// call is then of one content.
    pub fn is_unchanged(&self) -> bool {
        self.is_stable() && self.file.metadata().is_ok_and(|metadata| state(&metadata) == self.state)
    }

    /// Returns the file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns the place of the file's record.
    fn record_path(&self) -> String {
        format!("{FOLDER}/{}", blake3::hash(&self.state[..2 * 8]).to_hex())
    }

    /// Returns the record of the file with the given content.
    fn record(&self, content: &Content) -> [u8; RECORD_LEN] {
        let mut record = [0; RECORD_LEN];
        let (covered, checksum) = record.split_at_mut(RECORD_LEN - HASH_LEN);
        covered[..MAGIC.len()].copy_from_slice(&MAGIC);
        covered[MAGIC.len()..][..STATE_LEN].copy_from_slice(&self.state);
        covered[MAGIC.len() + STATE_LEN..].copy_from_slice(content.as_bytes());
        checksum.copy_from_slice(blake3::hash(covered).as_bytes());
        record
    }
}

impl Cache {
    /// Returns the content hash that was noted for a file in this state.
    pub fn content_of(&self, file: &FileState) -> Option<Content> {
        if !file.is_reliable {
            return None;
        }
        let (found, _) = self.directory.file(&file.record_path())?;
        let mut record = [0; RECORD_LEN];
        (&found).read_exact(&mut record).ok()?;
        let hash = record.get(MAGIC.len() + STATE_LEN..)?.first_chunk()?;
        let content = Content::from_stored(*hash);
        (record == file.record(&content)).then_some(content)
    }

    /// Notes the content hash of a file whose state was read before its content. Does nothing if the file is not settled, if its
    /// state does not tell reliably of changes, or if the record cannot be written.
    pub fn note_content(&self, file: &FileState, content: &Content) {
        if file.is_stable() {
            // Without the record, the file is hashed again next time.
            let _ = self.write_record(file, content);
        }
    }

    fn write_record(&self, state: &FileState, content: &Content) -> io::Result<()> {
        let path = state.record_path();
        let is_new = !self.directory.remove(&path)?;
        let mut file = new_file(&self.directory, &path)?;
        if let Err(error) = file.write_all(&state.record(content)) {
            self.directory.remove(&path)?;
            return Err(error);
        }
        if is_new {
            forget_oldest(&self.directory)?;
        }
        Ok(())
    }
}

/// Creates the file of a record or note, and their folder if there is none.
pub(crate) fn new_file(directory: &Directory, path: &str) -> io::Result<File> {
    match directory.new_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            directory.make_folder(FOLDER)?;
            directory.new_file(path)
        }
        result => result,
    }
}

/// Removes the oldest quarter of records and [notes](crate::beginnings) if there are too many. A quarter, as the times of all are read
/// for it, which would take long for every new record.
pub(crate) fn forget_oldest(directory: &Directory) -> io::Result<()> {
    let paths = paths(directory)?;
    if paths.len() <= MAX_RECORDS {
        return Ok(());
    }
    let age = |path: String| directory.stat(&path).map(|stat| ((stat.st_mtime, stat.st_mtime_nsec), path));
    let mut by_age: Vec<_> = paths.into_iter().filter_map(age).collect();
    by_age.sort_unstable();
    for (_, path) in by_age.iter().take(MAX_RECORDS / 4) {
        directory.remove(path)?;
    }
    Ok(())
}

/// Removes all records and notes.
pub(crate) fn clean(directory: &Directory) -> io::Result<()> {
    for path in paths(directory)? {
        directory.remove(&path)?;
    }
    Ok(())
}

/// Returns the places of all records and notes.
fn paths(directory: &Directory) -> io::Result<Vec<String>> {
    let names = match directory.names(FOLDER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result?,
    };
    Ok(names.into_iter().filter(|name| is_hash_with(name, "")).map(|name| format!("{FOLDER}/{name}")).collect())
}

/// Returns the state of a file as bytes.
fn state(metadata: &Metadata) -> [u8; STATE_LEN] {
    let mut state = [0; STATE_LEN];
    let numbers = [
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.mtime() as u64,
        metadata.mtime_nsec() as u64,
        metadata.ctime() as u64,
        metadata.ctime_nsec() as u64,
    ];
    for (bytes, number) in state.chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    state
}

/// Returns true if only this user and root can write a file.
fn has_trusted_writers(metadata: &Metadata, user: u32) -> bool {
    let others = if metadata.gid() == metadata.uid() { 0o002 } else { 0o022 };
    metadata.is_file() && [user, 0].contains(&metadata.uid()) && metadata.mode() & others == 0
}

/// Returns true if a file that was changed at this time, in seconds and nanoseconds since 1970, is settled.
fn is_settled((seconds, nanoseconds): (i64, i64), now: SystemTime) -> bool {
    let Ok(now) = now.duration_since(UNIX_EPOCH) else { return false };
    let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u32::try_from(nanoseconds)) else {
        // Before 1970.
        return true;
    };
    let Some(change) = Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanoseconds.into())) else {
        return false;
    };
    now.checked_sub(change).is_some_and(|age| age >= SETTLED_AFTER)
}

/// Returns true if times and contents of a file come from this machine's kernel.
#[cfg(target_os = "linux")]
fn is_local(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|found| LOCAL.contains(&(found.f_type as u32)))
}

/// Returns false: the kind of the file system is unknown.
#[cfg(not(target_os = "linux"))]
fn is_local(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::path::{Path, PathBuf};

    use super::*;

    /// A cache, and a file beside it.
    struct Scene {
        dir: tempfile::TempDir,
        cache: Cache,
        file: PathBuf,
    }

    impl Scene {
        fn new() -> Scene {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("module");
            fs::write(&file, "content").unwrap();
            Scene { cache: Cache::open(&dir.path().join("cache")).unwrap(), dir, file }
        }

        /// Returns the state of the file as a process sees it that runs in an hour.
        fn state(&self) -> FileState {
            let in_an_hour = SystemTime::now() + Duration::from_secs(3600);
            FileState::at(in_an_hour, &File::open(&self.file).unwrap()).unwrap()
        }

        fn note(&self) {
            self.cache.note_content(&self.state(), &content());
        }

        fn found(&self) -> Option<Content> {
            self.cache.content_of(&self.state())
        }

        /// Returns the path of the only record.
        fn record(&self) -> PathBuf {
            let [record] = &self.records()[..] else { panic!("{:?}", self.records()) };
            record.clone()
        }

        fn records(&self) -> Vec<PathBuf> {
            let folder = fs::read_dir(self.dir.path().join("cache").join(FOLDER));
            folder.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
        }
    }

    fn content() -> Content {
        Content::of(b"content")
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_settled_three_seconds_after_its_last_change() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        assert!(is_settled((997, 0), now));
        assert!(!is_settled((997, 1), now));
        assert!(!is_settled((1000, 0), now));
        assert!(!is_settled((1001, 0), now), "a time in the future");
        assert!(!is_settled((i64::MAX, 999_999_999), now));
        assert!(is_settled((-1, 0), now), "a time before 1970");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_noted_content_is_found() {
        let scene = Scene::new();
        assert_eq!(scene.found(), None);
        scene.note();
        assert_eq!(scene.found(), Some(content()));
        scene.cache.clean().unwrap();
        assert_eq!((scene.found(), scene.records().len()), (None, 0));
    }

    #[test]
    fn a_file_that_has_just_changed_gets_no_record() {
        let scene = Scene::new();
        let now = FileState::of(&File::open(&scene.file).unwrap()).unwrap();
        scene.cache.note_content(&now, &content());
        assert_eq!(scene.records().len(), 0);
        // A time in the future, when no process runs that reads it.
        let file = File::options().write(true).open(&scene.file).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(7200)).unwrap();
        scene.note();
        assert_eq!(scene.records().len(), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn every_change_of_the_file_is_seen() {
        let changes: [fn(&Scene); 5] = [
            |scene| fs::write(&scene.file, "CONTENT").unwrap(),
            |scene| fs::write(&scene.file, "longer content").unwrap(),
            |scene| {
                // The modification time is set back; the change time cannot be.
                let before = fs::metadata(&scene.file).unwrap().modified().unwrap();
                fs::write(&scene.file, "CONTENT").unwrap();
                File::options().write(true).open(&scene.file).unwrap().set_modified(before).unwrap();
            },
            |scene| set_mode(&scene.file, 0o755),
            |scene| {
                let new = scene.dir.path().join("new");
                fs::write(&new, "content").unwrap();
                fs::rename(new, &scene.file).unwrap();
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let scene = Scene::new();
            scene.note();
            let before = (scene.found(), scene.state().state);
            // A clock with coarse ticks may not have ticked since, as the rule for settled files takes into account.
            while scene.state().state == before.1 {
                change(&scene);
            }
            assert_eq!((before.0, scene.found()), (Some(content()), None), "{number}");
        }
    }

    #[test]
    fn a_file_that_others_may_write_gets_no_record() {
        for mode in [0o666, 0o602] {
            let scene = Scene::new();
            set_mode(&scene.file, mode);
            scene.note();
            assert_eq!(scene.records().len(), 0, "{mode:o}");
        }
        // Only root can give a file away.
        for (owner, group) in [(Some(54321), None), (None, Some(54321))] {
            let scene = Scene::new();
            set_mode(&scene.file, 0o660);
            if chown(&scene.file, owner, group).is_ok() {
                scene.note();
                assert_eq!(scene.records().len(), 0, "{owner:?} {group:?}");
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_that_the_users_own_group_may_write_gets_a_record() {
        let scene = Scene::new();
        set_mode(&scene.file, 0o664);
        let metadata = fs::metadata(&scene.file).unwrap();
        scene.note();
        assert_eq!(scene.records().len(), usize::from(metadata.uid() == metadata.gid()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_change_after_the_state_was_read_is_seen() {
        let scene = Scene::new();
        let stable = scene.state();
        let fresh = FileState::of(&File::open(&scene.file).unwrap()).unwrap();
        assert!(stable.is_stable() && stable.is_unchanged());
        assert!(!fresh.is_stable() && !fresh.is_unchanged(), "it could change without a trace");
        while stable.is_unchanged() {
            fs::write(&scene.file, "CONTENT").unwrap();
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_reliable_file_is_a_regular_one_on_a_local_disk() {
        let scene = Scene::new();
        let is_reliable = |path: &Path| FileState::of(&File::open(path).unwrap()).unwrap().is_reliable;
        assert!(is_reliable(&scene.file), "the directory for temporary files must be on a local disk");
        assert!(!is_reliable(scene.dir.path()));
        assert!(!is_reliable(Path::new("/proc/self/status")));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_damaged_record_is_ignored_and_replaced() {
        let scene = Scene::new();
        scene.note();
        let path = scene.record();
        let record = fs::read(&path).unwrap();
        assert_eq!(record.len(), RECORD_LEN);
        for at in 0..record.len() {
            let mut damaged = record.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(scene.found(), None, "{at}");
            fs::write(&path, &record[..at]).unwrap();
            assert_eq!(scene.found(), None, "{at}");
        }
        scene.note();
        assert_eq!(scene.found(), Some(content()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_record_that_somebody_else_could_have_written_is_ignored() {
        let changes: [fn(&Path); 2] = [
            |path| set_mode(path, 0o622),
            |path| {
                let elsewhere = path.with_file_name("elsewhere");
                fs::rename(path, &elsewhere).unwrap();
                symlink(elsewhere, path).unwrap();
            },
        ];
        for change in changes {
            let scene = Scene::new();
            scene.note();
            change(&scene.record());
            assert_eq!(scene.found(), None);
            scene.note();
            assert_eq!(scene.found(), Some(content()));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_number_of_records_is_limited() {
        let mut scene = Scene::new();
        scene.note();
        let folder = scene.record().parent().unwrap().to_owned();
        let old = folder.join("old");
        File::create(&old).unwrap().set_modified(UNIX_EPOCH).unwrap();
        for number in 0..MAX_RECORDS {
            // A link is made faster than a file.
            fs::hard_link(&old, folder.join(format!("{number:064x}"))).unwrap();
        }
        fs::remove_file(old).unwrap();
        scene.file = scene.dir.path().join("second");
        fs::write(&scene.file, "content").unwrap();
        scene.note();
        assert_eq!(scene.records().len(), MAX_RECORDS + 2 - MAX_RECORDS / 4);
        assert_eq!(scene.found(), Some(content()));
        assert!(!folder.join(format!("{:064x}", 0)).exists());
    }
}
