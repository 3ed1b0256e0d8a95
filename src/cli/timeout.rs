//! `--timeout`: a thread that ends the process after the limit.
//!
//! The thread ends all work alike: loops, sleeping or blocked host calls, validation of a giant module. The guest's output is not
//! buffered, so none of it is lost. The thread exists only if the option is given.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::report::printable_word;
use crate::cli::stats::{Ended, Stats};
use crate::cli::{exit, report};

/// Starts the thread. The time counts from `start`. The thread prints the statistics, if there are any, before it ends the process.
pub fn start(limit: Duration, start: Instant, module: String, stats: Option<Arc<Stats>>) -> std::io::Result<()> {
    std::thread::Builder::new().name("timeout".to_string()).spawn(move || {
        loop {
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left);
        }
        let mut message = format!("error: `{}` did not end within {limit:?} (--timeout)\n", printable_word(&module));
        if let Some(stats) = stats {
            message.push_str(&stats.render(&Ended::timeout(limit)));
        }
        report::print(&mut std::io::stderr(), &message);
        std::process::exit(exit::TIMEOUT.into());
    })?;
    Ok(())
}
