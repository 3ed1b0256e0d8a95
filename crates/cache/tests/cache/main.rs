//! Tests of the cache with real files: damage, foreign files, many processes at once, full disks.
//!
//! In: temporary directories. [`support`] makes entries and child processes; a child process is this program, executing one test.

mod concurrency;
mod container;
mod entries;
mod full;
mod limits;
mod support;
mod trust;
