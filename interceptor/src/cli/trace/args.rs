// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the command line of `interceptor trace` says. Nothing here follows anything.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use interceptor_policy::Reason;
use ipnet::IpNet;

use super::super::{node_args::NodeArgs, output::Format, pods::RunDirFlag};
use crate::records::PodName;

/// Show verdicts on connections as they happen, and the rule that decides
///
/// Prints a line for each verdict, and for each one that could not be carried out: time (UTC), pod, direction,
/// protocol, process with its user and group, source, destination, verdict, reason. `interceptor status` has a
/// sentence for each reason. Ends when it is interrupted.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor trace
  interceptor trace --pod default/web-0 --to 10.96.0.0/12
  interceptor trace --netns /run/netns/web --reason no_listener,no_slot
  interceptor trace --count --for 10s
  interceptor trace -o json --port 443

Directions:
  out     a process of the pod connects, or sends a DNS question
  in      a connection arrives at the pod
  bind    a process wants an address that redirection uses
  listen  a process listens where the sidecar is expected
  packet  the guard dropped a packet (--guard)")]
pub(in crate::cli) struct TraceArgs {
    /// This pod alone, by its name in Kubernetes
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with = "netns")]
    pub(super) pod: Option<PodName>,

    /// This pod alone, by its network namespace
    #[arg(long, value_name = "PATH")]
    pub(super) netns: Option<PathBuf>,

    /// These reasons alone, as `interceptor status` shows them; separated by commas
    #[arg(long, value_name = "REASONS", value_delimiter = ',', value_parser = reason)]
    pub(super) reason: Vec<Reason>,

    /// This port alone, of the source or of the destination
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) port: Option<u16>,

    /// Destinations in this range alone; may be repeated
    #[arg(long, value_name = "ADDRESS[/BITS]", value_parser = range, action = clap::ArgAction::Append)]
    pub(super) to: Vec<IpNet>,

    /// Sources in this range alone; may be repeated. A process that has bound no address has none yet
    #[arg(long, value_name = "ADDRESS[/BITS]", value_parser = range, action = clap::ArgAction::Append)]
    pub(super) from: Vec<IpNet>,

    /// Print no verdicts, but how often there was each one, at the end
    #[arg(long)]
    pub(super) count: bool,

    /// End after this time, such as 30s, 5m or 1h
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(super) length: Option<Duration>,

    /// Format of the output; JSON has one object on each line
    #[arg(
        short,
        visible_short_alias = 'O',
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    pub(super) output: Format,

    /// How many KiB of verdicts can wait to be printed, a power of two. What does not fit is counted as lost
    #[arg(long, value_name = "KIB", default_value_t = 4096, value_parser = kibibytes)]
    pub(super) buffer: u32,

    /// How many seconds the kernel goes on with it after this process was killed
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(super) lifetime: u32,

    #[command(flatten)]
    pub(super) node: NodeArgs,

    #[command(flatten)]
    pub(super) run_dir: RunDirFlag,
}

fn reason(label: &str) -> Result<Reason, String> {
    let known = Reason::ALL.iter().find(|reason| reason.label() == label);
    known.copied().ok_or_else(|| {
        let labels: Vec<&str> = Reason::ALL.iter().map(|reason| reason.label()).collect();
        format!("there is no such reason; the reasons are {}", labels.join(", "))
    })
}

fn range(text: &str) -> Result<IpNet, &'static str> {
    let net = text
        .parse()
        .or_else(|_no_range| text.parse().map(|address: std::net::IpAddr| IpNet::from(address)));
    net.map_err(|_no_address| "write an address or a range, such as 10.1.2.3 or 10.96.0.0/12")
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    const HELP: &str = "write a number and a unit, such as 30s, 5m or 1h";
    let (number, unit) = match text.char_indices().next_back() {
        Some((last, 's')) => (&text[..last], 1),
        Some((last, 'm')) => (&text[..last], 60),
        Some((last, 'h')) => (&text[..last], 60 * 60),
        _ => return Err(HELP),
    };
    let number: u32 = number.parse().map_err(|_no_number| HELP)?;
    if number == 0 {
        return Err("write at least 1s");
    }
    Ok(Duration::from_secs(u64::from(number) * unit))
}

fn kibibytes(text: &str) -> Result<u32, &'static str> {
    const LARGEST: u32 = 1024 * 1024;
    let number: u32 = text.parse().map_err(|_no_number| "write a number, such as 4096")?;
    if number.is_power_of_two() && (64..=LARGEST).contains(&number) {
        Ok(number * 1024)
    } else {
        Err("write a power of two between 64 and 1048576")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("30s", Some(30))]
    #[case::minutes("5m", Some(300))]
    #[case::hours("1h", Some(3600))]
    #[case::no_unit("30", None)]
    #[case::no_number("s", None)]
    #[case::nothing("", None)]
    #[case::no_time("0s", None)]
    #[case::another_letter("3é", None)]
    fn a_time_has_a_number_and_a_unit(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs));
    }

    #[rstest]
    #[case::address("10.1.2.3", Some("10.1.2.3/32"))]
    #[case::range("10.96.0.0/12", Some("10.96.0.0/12"))]
    #[case::ipv6("fd99::1", Some("fd99::1/128"))]
    #[case::name("web", None)]
    fn a_range_may_be_one_address(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(range(text).ok().map(|net| net.to_string()).as_deref(), expected);
    }

    #[rstest]
    #[case::usual("4096", Some(4096 * 1024))]
    #[case::smallest("64", Some(64 * 1024))]
    #[case::too_small("32", None)]
    #[case::no_power("100", None)]
    #[case::too_large("2097152", None)]
    fn a_buffer_has_a_size_that_kernels_take(#[case] text: &str, #[case] bytes: Option<u32>) {
        assert_eq!(kibibytes(text).ok(), bytes);
    }

    #[test]
    fn an_unknown_reason_is_answered_with_those_that_there_are() {
        assert_eq!(reason("no_slot"), Ok(Reason::NoSlot));
        assert!(reason("no_slots").unwrap_err().contains("no_slot, "));
    }
}
