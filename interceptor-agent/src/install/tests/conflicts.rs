// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When an entry that is taken out comes back.

use std::time::{Duration, Instant};

use crate::install::Conflicts;

const SECOND: Duration = Duration::from_secs(1);

/// Takes the entry out as soon as it is back, and returns how long it was away each time.
fn fight(conflicts: &mut Conflicts, now: &mut Instant, rounds: usize) -> Vec<u64> {
    (0..rounds)
        .map(|_round| {
            let due = conflicts.lost(*now);
            let delay = due.duration_since(*now).as_secs();
            *now = due;
            conflicts.repaired(*now);
            delay
        })
        .collect()
}

#[test]
fn the_entry_comes_back_later_each_time_but_not_later_than_half_a_minute() {
    let (mut conflicts, mut now) = (Conflicts::default(), Instant::now());
    assert_eq!(
        fight(&mut conflicts, &mut now, 14),
        [0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]
    );
    assert_eq!(conflicts.total(), 8);
    assert_eq!(fight(&mut conflicts, &mut now, 100), [30; 100]);
}

#[test]
fn some_seconds_of_peace_end_a_conflict() {
    let (mut conflicts, mut now) = (Conflicts::default(), Instant::now());
    fight(&mut conflicts, &mut now, 10);
    assert!(conflicts.is_ongoing(now));
    now += 5 * SECOND;
    assert!(!conflicts.is_ongoing(now));
    assert_eq!(fight(&mut conflicts, &mut now, 2), [0, 0]);
    assert!(!conflicts.is_ongoing(now));
}

#[test]
fn who_writes_now_and_then_is_no_opponent() {
    let (mut conflicts, mut now) = (Conflicts::default(), Instant::now());
    for _time in 0..50 {
        assert_eq!(fight(&mut conflicts, &mut now, 1), [0]);
        now += 6 * SECOND;
    }
    assert_eq!(conflicts.total(), 0);
}

#[test]
fn a_loss_that_is_seen_twice_counts_once() {
    let (mut conflicts, mut now) = (Conflicts::default(), Instant::now());
    fight(&mut conflicts, &mut now, 8);
    let due = conflicts.lost(now);
    assert_eq!(conflicts.lost(now + SECOND), due);
    assert_eq!(conflicts.total(), 3);
    assert!(conflicts.is_ongoing(now + 20 * SECOND));
}

#[test]
fn an_entry_that_is_back_by_itself_is_not_waited_for() {
    let (mut conflicts, mut now) = (Conflicts::default(), Instant::now());
    fight(&mut conflicts, &mut now, 8);
    let due = conflicts.lost(now);
    conflicts.found();
    assert!(conflicts.lost(now + SECOND) > due);
}
