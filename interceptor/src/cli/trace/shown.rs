// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An event as people and programs see it. What a pod could choose, such as the name of a process, is escaped.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use interceptor_policy::{Action, Address, Direction, Protocol, Reason, TraceEvent};
use serde::Serialize;

/// An event, as `--output json` prints it on a line.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    /// Nanoseconds since 1970.
    time_ns: u64,
    pod: &'a str,
    netns_cookie: u64,
    direction: &'static str,
    protocol: &'static str,
    /// Nothing for what arrives from outside.
    process: Option<ProcessShown>,
    from: End,
    to: End,
    pub(super) verdict: &'static str,
    pub(super) reason: &'static str,
}

/// Who made the system call. The numbers are those that the host sees.
#[derive(Debug, Serialize)]
struct ProcessShown {
    pid: u32,
    uid: u32,
    gid: u32,
    command: String,
}

/// One end of a connection, as far as it is known.
#[derive(Debug, Serialize)]
struct End {
    address: Option<IpAddr>,
    port: Option<u16>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(event: &TraceEvent, pod: &'a str, time: SystemTime) -> Result<Self> {
        let what = (event.direction(), event.protocol(), event.reason());
        let (Some(direction), Some(protocol), Some(reason)) = what else {
            anyhow::bail!("The kernel programs wrote an event that no version knows: {event:?}");
        };
        let time = time.duration_since(UNIX_EPOCH).context("The clock stands before 1970")?;
        Ok(Self {
            time_ns: u64::try_from(time.as_nanos())?,
            pod,
            netns_cookie: event.netns_cookie,
            direction: direction.label(),
            protocol: label(protocol),
            process: direction.has_process().then(|| ProcessShown::of(event)),
            from: End::of(event.source, event.source_port, direction != Direction::In),
            to: End::of(event.destination, event.port, true),
            verdict: verdict(reason),
            reason: reason.label(),
        })
    }
}

impl ProcessShown {
    fn of(event: &TraceEvent) -> Self {
        let (bytes, length) = event.command();
        Self {
            pid: event.pid,
            uid: event.uid,
            gid: event.gid,
            command: bytes.get(..length).unwrap_or_default().escape_ascii().to_string(),
        }
    }
}

impl End {
    fn of(address: Address, port: u16, may_be_unknown: bool) -> Self {
        let known = !(may_be_unknown && address.is_unspecified());
        Self {
            address: known.then(|| address.into()),
            port: Some(port).filter(|port| *port != 0),
        }
    }
}

const fn label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Other => "other",
    }
}

/// What was done.
pub(super) const fn verdict(reason: Reason) -> &'static str {
    match reason.action() {
        Some(Action::Pass) => "pass",
        Some(Action::RedirectOutbound) => "redirect-outbound",
        Some(Action::RedirectInbound) => "redirect-inbound",
        Some(Action::RedirectDns) => "redirect-dns",
        Some(Action::Fail(error)) => error.name(),
        None => "refused",
    }
}

impl fmt::Display for Shown<'_> {
    /// The line, with spaces between the fields and `-` for one that is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            time_ns,
            pod,
            netns_cookie: _,
            direction,
            protocol,
            process,
            from,
            to,
            verdict,
            reason,
        } = self;
        let (seconds, micros) = (time_ns / 1_000_000_000, time_ns % 1_000_000_000 / 1000);
        let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{hours:02}:{minutes:02}:{seconds:02}.{micros:06} {pod} {direction} {protocol} "
        )?;
        match process {
            Some(ProcessShown { pid, uid, gid, command }) => write!(f, "{command}[{pid}] {uid}:{gid} ")?,
            None => f.write_str("- - ")?,
        }
        write!(f, "{from} > {to} {verdict} {reason}")
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (Some(address), Some(port)) => SocketAddr::new(address, port).fmt(f),
            (Some(address), None) => address.fmt(f),
            (None, Some(port)) => write!(f, "*:{port}"),
            (None, None) => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(direction: Direction) -> TraceEvent {
        let address = |text: &str| text.parse::<IpAddr>().unwrap().into();
        TraceEvent {
            netns_cookie: 7,
            source: address("0.0.0.0"),
            destination: address("10.96.0.1"),
            port: 80,
            reason: Reason::OutboundCidrIncluded as u16,
            kind: TraceEvent::kind_of(direction, Protocol::Tcp),
            uid: 1000,
            gid: 2000,
            pid: 4711,
            command: [u64::from_ne_bytes(*b"cu\x1brl\0\0\0"), 0],
            ..TraceEvent::default()
        }
    }

    fn line(event: &TraceEvent) -> String {
        let time = UNIX_EPOCH + Duration::from_micros(86_400_000_000 + 3_723_000_042);
        Shown::of(event, "default/web-0", time).unwrap().to_string()
    }

    #[test]
    fn a_line_has_every_field_and_nothing_that_a_terminal_obeys() {
        assert_eq!(
            line(&event(Direction::Out)),
            concat!(
                r"01:02:03.000042 default/web-0 out tcp cu\x1brl[4711] 1000:2000 ",
                "- > 10.96.0.1:80 redirect-outbound outbound_cidr_included"
            )
        );
    }

    #[test]
    fn what_arrives_has_no_process() {
        let source = "fd99::9".parse::<IpAddr>().unwrap().into();
        let event = TraceEvent { source, source_port: 4000, ..event(Direction::In) };
        assert!(
            line(&event).contains(" in tcp - - [fd99::9]:4000 > 10.96.0.1:80 "),
            "{}",
            line(&event)
        );
    }

    #[test]
    fn an_event_of_another_version_is_an_error() {
        let event = TraceEvent { reason: u16::MAX, ..event(Direction::Out) };
        assert!(Shown::of(&event, "web", UNIX_EPOCH).is_err());
    }
}
