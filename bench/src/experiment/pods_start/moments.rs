// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When things happened to a pod, by the clock of the container runtime, which writes the time to each line of its log
//! and to each line that a container prints. Nothing here waits.

use std::time::Duration;

use anyhow::{Context as _, Result};

const DAY: Duration = Duration::from_hours(24);

/// When the runtime was asked to run the sandbox of a pod, by containerd's log. `None` if it was not yet.
pub(super) fn sandbox_asked_for(log: &str, pod: &str) -> Result<Option<Duration>> {
    let (asked, named) = ("RunPodSandbox for ".to_lowercase(), format!("Name:{pod},"));
    let line = log
        .lines()
        .find(|line| line.to_lowercase().contains(&asked) && line.contains(&named));
    let time = |line: &str| {
        let (_, rest) = line.split_once("time=\"").context("no time")?;
        time_of_day(rest)
    };
    line.map(|line| time(line).with_context(|| format!("in the log of containerd: {line}")))
        .transpose()
}

/// When a sidecar wrote of a connection for the first time, by the log of its container. `None` if it has not yet.
pub(super) fn connection_seen(log: &str) -> Result<Option<Duration>> {
    let line = log.lines().find(|line| line.contains("\"listener\""));
    line.map(|line| time_of_day(line).with_context(|| format!("in the log of a container: {line}")))
        .transpose()
}

/// How long after `earlier` something was that happened on the same day, or on the next.
pub(super) fn since(earlier: Duration, later: Duration) -> Duration {
    later
        .checked_sub(earlier)
        .unwrap_or_else(|| (later + DAY).saturating_sub(earlier))
}

/// Of a text that begins with `2026-11-30T22:04:05.123456789`. The time zone is that of the runtime: one for all.
fn time_of_day(text: &str) -> Result<Duration> {
    let [hours, minutes, seconds] = [11..13, 14..16, 17..19].map(|at| number(text.get(at)?));
    let whole = hours.zip(minutes).zip(seconds);
    let ((hours, minutes), seconds) = whole.context("not a time")?;
    let fraction: String = text.chars().skip(20).take_while(char::is_ascii_digit).take(9).collect();
    let nanoseconds = number(&format!("{fraction:0<9}")).context("not a fraction of a second")?;
    Ok(Duration::from_secs((hours * 60 + minutes) * 60 + seconds) + Duration::from_nanos(nanoseconds))
}

fn number(digits: &str) -> Option<u64> {
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_of_a_pod_is_found_by_its_whole_name() {
        let log = "time=\"2026-11-30T22:04:05.000000001Z\" level=info msg=\"RunPodsandbox for \
                   &PodSandboxMetadata{Name:web-10,Uid:1,}\"\n\
                   time=\"2026-11-30T22:04:06.25Z\" level=info msg=\"RunPodSandbox for \
                   &PodSandboxMetadata{Name:web-1,Uid:2,}\"\n";
        let of = |pod| sandbox_asked_for(log, pod).unwrap();
        let four_past = Duration::from_mins(22 * 60 + 4);
        assert_eq!(of("web-10"), Some(four_past + Duration::from_nanos(5_000_000_001)));
        assert_eq!(of("web-1"), Some(four_past + Duration::from_millis(6_250)));
        assert_eq!(of("web"), None);
    }

    #[test]
    fn the_first_line_about_a_connection_counts() {
        let log = "2026-11-30T00:00:01.5Z stdout F {\"ready\":[]}\n\
                   2026-11-30T00:00:02.5Z stdout F {\"listener\":\"outbound\"}\n\
                   2026-11-30T00:00:03.5Z stdout F {\"listener\":\"outbound\"}\n";
        assert_eq!(connection_seen(log).unwrap(), Some(Duration::from_millis(2_500)));
        assert_eq!(connection_seen("").unwrap(), None);
        assert!(connection_seen("today \"listener\"").is_err());
    }

    #[test]
    fn midnight_may_pass_meanwhile() {
        let [before, after] = [86_399, 2].map(Duration::from_secs);
        assert_eq!(since(before, after), Duration::from_secs(3));
        assert_eq!(since(after, before), Duration::from_secs(86_397));
    }
}
