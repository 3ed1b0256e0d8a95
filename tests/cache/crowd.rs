//! Many processes at once, some of which are killed at any moment.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::support::{Bed, End, Random, processes_of, rounds};

/// Processes that run at once.
const PROCESSES: u64 = 200;

/// Longest time after which a process is killed, in microseconds. It is about that of a run on an idle machine.
const MOMENT: u64 = 60_000;

#[test]
fn two_hundred_processes_at_once() {
    for seed in rounds() {
        let bed = Bed::new();
        let guest = bed.guest();
        let mut random = Random(seed);
        let start = |number: u64| {
            let mode = ["jit", "tiered", "jit", "interp"][number as usize % 4];
            let mut command = bed.run(&["--mode", mode]);
            guest.start_words(&mut command, &["run", "3000"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let mut children: Vec<(Child, bool)> =
            (0..PROCESSES).map(|number| (start(number), random.below(3) == 0)).collect();
        for (child, is_killed) in &mut children {
            if *is_killed {
                std::thread::sleep(Duration::from_micros(random.below(MOMENT / PROCESSES * 3)));
                child.kill().unwrap();
            }
        }
        for (number, (child, is_killed)) in children.into_iter().enumerate() {
            let end = End::of(child.wait_with_output().unwrap());
            if !(is_killed && end.signal == Some(libc::SIGKILL)) {
                assert_eq!(end, guest.expected()[0], "seed {seed}, process {number}");
            }
        }
        bed.settle();
        guest.check(|| bed.run(&["--mode", "jit"]), "afterwards");
        assert_eq!(bed.entries().len(), 2, "one for the program and one for the library");
    }
}

#[test]
fn processes_that_store_are_killed() {
    for seed in rounds() {
        let bed = Bed::new();
        let guest = bed.guest();
        let mut random = Random(seed);
        for turn in 0..25 {
            // Without the entries there is always something to store.
            if random.below(2) == 0 {
                for entry in bed.entries() {
                    let _ = fs::remove_file(entry);
                }
            }
            guest.check(|| bed.run(&["--mode", "jit"]), &format!("seed {seed}, turn {turn}"));
            std::thread::sleep(Duration::from_micros(random.below(MOMENT / 2)));
            for pid in processes_of(&bed.cache()) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        // What the dead left does not hinder the living.
        for entry in bed.entries() {
            fs::remove_file(entry).unwrap();
        }
        guest.check(|| bed.run(&["--mode", "jit"]), "afterwards");
        bed.settle();
        assert_eq!(bed.entries().len(), 2);
        assert!(crate::support::files(&bed.cache(), "tmp").is_empty());
    }
}
