//! `wasmr cache ACTION`: shows the size of the cache, or empties it.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use wasmr::cache::{Cache, DEFAULT_MAX_BYTES, Info, Removed};
use wasmr_core::count::Count;

use super::flags::{CacheAction, CacheFlags};
use super::report::{exact_size, printable_word};
use super::{exit, plan, report};

/// Performs the action.
pub fn run(flags: CacheFlags, out: &mut dyn Write) -> anyhow::Result<u8> {
    let dir = plan::needed_cache_dir(flags.cache_dir)?;
    let shown = printable_word(&dir);
    let cache = open(&dir).with_context(|| format!("cannot use the cache directory `{shown}`"))?;
    let text = match flags.action {
        CacheAction::Info => {
            let info = cache.map_or_else(|| Ok(no_info(dir)), |cache| cache.info());
            info_text(&info.with_context(|| format!("cannot list the cache directory `{shown}`"))?)
        }
        CacheAction::Clean => {
            let removed = cache.map_or_else(|| Ok(Removed::default()), |cache| cache.clean());
            let removed = removed.with_context(|| format!("cannot empty the cache directory `{shown}`"))?;
            let noun = if removed.entries == 1 { "entry" } else { "entries" };
            format!("removed {} {noun} ({}) from `{shown}`\n", removed.entries, Count(removed.bytes, "byte"))
        }
    };
    report::show(out, &text).context("cannot print the result")?;
    Ok(exit::SUCCESS)
}

/// Opens the cache, unless its directory does not exist.
fn open(dir: &Path) -> anyhow::Result<Option<Cache>> {
    match dir.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => Ok(Some(Cache::open(dir)?)),
    }
}

/// Describes a cache whose directory does not exist.
fn no_info(dir: PathBuf) -> Info {
    Info { dir, entries: 0, bytes: 0, max_bytes: DEFAULT_MAX_BYTES }
}

fn info_text(info: &Info) -> String {
    format!(
        "directory  {}\nentries    {}\nsize       {}\nlimit      {}\n",
        printable_word(&info.dir),
        info.entries,
        Count(info.bytes, "byte"),
        exact_size(info.max_bytes.into()),
    )
}
