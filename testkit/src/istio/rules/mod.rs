// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules that `istio-iptables` writes, in the order in which they are evaluated. Written from its source
//! ([`capture/run.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/capture/run.go)), and not
//! with this project's own code: that is what they are compared with. Values of flags are passed on unread, as Istio
//! does, so that iptables itself says what a range or a list means.

mod mangle;
mod nat;
mod raw;

use super::config::{CAPTURE_ALL_DNS, Config, LOOPBACK_CIDR, META_DNS_CAPTURE, REDIRECT_DNS};

/// Which family the rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// Whose questions go to the agent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dns {
    Off,
    All,
    /// Those to the servers in `resolv.conf`, of whichever family.
    Servers,
}

/// Input for `iptables-restore`, or `ip6tables-restore`. Tables without rules are there to be emptied.
pub(crate) fn rules(config: &Config, family: Family) -> String {
    let tables = [
        ("mangle", mangle::mangle(config, family)),
        ("nat", nat::nat(config, family)),
        ("raw", raw::raw(config, family)),
    ];
    let lines = |(name, lines): (&str, Vec<String>)| {
        [vec![format!("* {name}")], lines, vec!["COMMIT\n".to_owned()]]
            .concat()
            .join("\n")
    };
    tables.map(lines).concat()
}

/// The interfaces of `-c`, in either table.
fn left_alone(config: &Config) -> impl Iterator<Item = String> {
    let both =
        |interface| [format!("-A PREROUTING -i {interface} -j RETURN"), format!("-A OUTPUT -o {interface} -j RETURN")];
    config.list('c').into_iter().flat_map(both)
}

impl Family {
    /// What is exempt from the rules as a destination, and as a source.
    fn own(self, config: &Config) -> (&str, &'static str) {
        match self {
            Self::V4 => (config.variable(LOOPBACK_CIDR).unwrap_or("127.0.0.1/32"), "127.0.0.6/32"),
            Self::V6 => ("::1/128", "::6/128"),
        }
    }

    fn holds(self, cidr: &str) -> bool {
        cidr.contains(':') == (self == Self::V6)
    }

    /// The servers in `resolv.conf` of this family.
    fn servers(self, config: &Config) -> Vec<String> {
        config
            .servers
            .iter()
            .map(ToString::to_string)
            .filter(|server| self.holds(server))
            .collect()
    }
}

impl Dns {
    fn of(config: &Config) -> Self {
        // The variable is another name of the flag, which wins.
        let redirect = config.has(REDIRECT_DNS) || config.variable(META_DNS_CAPTURE) == Some("true");
        match (redirect, config.has(CAPTURE_ALL_DNS)) {
            (false, _) => Self::Off,
            (true, true) => Self::All,
            (true, false) if config.servers.is_empty() => Self::Off,
            (true, false) => Self::Servers,
        }
    }
}
