// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When to look at which pod. It knows no clock and no pod.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// From the first sign of a change to the look: what follows at once is seen by the same look.
const SETTLE: Duration = Duration::from_millis(200);
/// From one look at a pod to the next. So no pod is switched more often, whatever its interfaces do.
const REST: Duration = Duration::from_secs(1);
/// A pod with so many routes that a look takes long is looked at this part of the time at most.
const SHARE: u32 = 10;

/// The looks that are to come, by sandbox.
#[derive(Debug, Default)]
pub(super) struct Schedule(BTreeMap<String, Times>);

#[derive(Debug)]
struct Times {
    due: Option<Instant>,
    /// Not before.
    rests_until: Instant,
}

impl Schedule {
    /// Something has changed in a pod. However often this is said, there is one look.
    pub(super) fn changed(&mut self, sandbox: &str, now: Instant) {
        let times = self.times(sandbox, now);
        let due = times.rests_until.max(now + SETTLE);
        times.due = Some(times.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// A look failed, and is to be tried again.
    pub(super) fn again(&mut self, sandbox: &str, at: Instant) {
        let times = self.times(sandbox, at);
        times.due = Some(times.due.map_or(at, |earlier| earlier.min(at)));
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().filter_map(|times| times.due).min()
    }

    /// A pod whose look is due. What changes from now on leads to another one.
    pub(super) fn take(&mut self, now: Instant) -> Option<String> {
        let is_due = |(_, times): &(&String, &mut Times)| times.due.is_some_and(|due| due <= now);
        let (sandbox, times) = self.0.iter_mut().filter(is_due).min_by_key(|(_, times)| times.due)?;
        times.due = None;
        Some(sandbox.clone())
    }

    /// A look has ended.
    pub(super) fn looked(&mut self, sandbox: &str, began: Instant, ended: Instant) {
        let rests_until = ended.max(began + REST).max(ended + (ended - began) * (SHARE - 1));
        let times = self.times(sandbox, ended);
        times.rests_until = rests_until;
        times.due = times.due.map(|due| due.max(rests_until));
    }

    pub(super) fn forget(&mut self, sandbox: &str) {
        self.0.remove(sandbox);
    }

    fn times(&mut self, sandbox: &str, now: Instant) -> &mut Times {
        let new = Times { due: None, rests_until: now };
        self.0.entry(sandbox.to_owned()).or_insert(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(10);

    /// How many looks there are at a pod that changes all the time, where each look takes this long.
    fn looks(of: Duration, taking: Duration) -> u32 {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        let (mut now, mut looks) = (start, 0);
        while now < start + of {
            schedule.changed("pod", now);
            if let Some(sandbox) = schedule.take(now) {
                looks += 1;
                schedule.looked(&sandbox, now, now + taking);
                now += taking;
            }
            now += STEP;
        }
        looks
    }

    #[test]
    fn a_pod_that_changes_all_the_time_is_looked_at_once_a_second() {
        assert_eq!(looks(Duration::from_mins(1), Duration::ZERO), 60);
    }

    #[test]
    fn a_pod_that_takes_long_to_look_at_takes_a_tenth_of_the_time() {
        let looks = looks(Duration::from_secs(100), Duration::from_secs(2));
        assert!((4..=6).contains(&looks), "{looks}");
    }

    #[test]
    fn the_last_change_is_looked_at() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.changed("pod", start);
        let begin = start + SETTLE;
        assert_eq!(schedule.next(), Some(begin));
        assert_eq!(schedule.take(begin).as_deref(), Some("pod"));
        assert_eq!(schedule.take(begin), None);
        schedule.changed("pod", begin + STEP); // while it is looked at
        schedule.looked("pod", begin, begin + 2 * STEP);
        assert_eq!(schedule.next(), Some(begin + REST));
        schedule.again("other", begin);
        assert_eq!(schedule.take(begin + REST).as_deref(), Some("other"), "it waits longer");
        assert_eq!(schedule.take(begin + REST).as_deref(), Some("pod"));
        assert_eq!(schedule.next(), None);
        schedule.changed("pod", begin + REST);
        schedule.forget("pod");
        assert_eq!(schedule.next(), None);
    }
}
