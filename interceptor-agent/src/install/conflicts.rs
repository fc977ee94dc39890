// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Somebody else writes the same list, and takes our entry out each time. The entry comes back, and the more often it
//! is taken out, the later. It knows no clock and no file.

use std::time::{Duration, Instant};

/// An entry that is taken out sooner than this after it was put in has been taken out again.
const WINDOW: Duration = Duration::from_secs(5);
/// So often in a row the entry comes back at once.
const IMMEDIATE_REPAIRS: u32 = 5;
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// When a lost entry comes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// How often in a row the entry was lost again.
    in_a_row: u32,
    total: u64,
    repaired: Option<Instant>,
    due: Option<Instant>,
}

impl Conflicts {
    /// The entry is not there. Returns when it has to come back, which stays the same until it has come back.
    pub fn lost(&mut self, now: Instant) -> Instant {
        if let Some(due) = self.due {
            return due;
        }
        let again = self
            .repaired
            .is_some_and(|repaired| now.saturating_duration_since(repaired) < WINDOW);
        self.in_a_row = if again { self.in_a_row.saturating_add(1) } else { 0 };
        if self.in_a_row > IMMEDIATE_REPAIRS {
            self.total += 1;
        }
        let due = now + self.delay();
        self.due = Some(due);
        due
    }

    /// The entry was put back.
    pub const fn repaired(&mut self, now: Instant) {
        self.repaired = Some(now);
        self.due = None;
    }

    /// The entry is there, although nobody here has put it back.
    pub const fn found(&mut self) {
        self.due = None;
    }

    /// Whether somebody else takes the entry out all the time.
    pub fn is_ongoing(&self, now: Instant) -> bool {
        let is_fresh = self
            .repaired
            .is_some_and(|repaired| now.saturating_duration_since(repaired) < WINDOW);
        self.in_a_row > IMMEDIATE_REPAIRS && (self.due.is_some() || is_fresh)
    }

    /// How often the entry had to wait, since the start.
    pub const fn total(&self) -> u64 {
        self.total
    }

    fn delay(&self) -> Duration {
        match self.in_a_row.checked_sub(IMMEDIATE_REPAIRS + 1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST_DELAY.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_DELAY),
        }
    }
}
