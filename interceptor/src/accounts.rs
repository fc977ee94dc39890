// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The accounts and services that this process sees: `/etc/passwd`, `/etc/group` and `/etc/services` of its
//! container. It never resolves names over the network by itself; the C library does as `nsswitch.conf` says.

use std::fs;

use interceptor_config::Accounts;
use nix::unistd::{Group, User};

/// The accounts and services of the container this runs in.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemAccounts;

const SERVICES_FILE: &str = "/etc/services";

impl Accounts for SystemAccounts {
    fn uid(&self, name: &str) -> Option<u32> {
        User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
    }

    fn gid(&self, name: &str) -> Option<u32> {
        Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
    }

    fn service(&self, name: &str) -> Option<u16> {
        tcp_port(&fs::read_to_string(SERVICES_FILE).ok()?, name)
    }
}

/// Finds a name or an alias in the text of `services(5)`. Only its TCP port: `-o` writes a TCP rule before the UDP
/// one, so iptables refuses a name that has no TCP port.
pub(crate) fn tcp_port(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let entry = line.split_once('#').map_or(line, |(entry, _comment)| entry);
        let mut words = entry.split_whitespace();
        let service = words.next()?;
        let (port, protocol) = words.next()?.split_once('/')?;
        let named = service == name || words.any(|alias| alias == name);
        if named && protocol == "tcp" { port.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SERVICES: &str = "\
# Network services
discard\t\t9/udp\t\tsink null
http\t\t80/tcp\t\twww\t# WorldWideWeb HTTP
tftp\t\t69/udp
";

    #[rstest]
    #[case::by_name("http", Some(80))]
    #[case::by_alias("www", Some(80))]
    #[case::udp_only("tftp", None)]
    #[case::a_word_of_a_comment("WorldWideWeb", None)]
    #[case::unknown("gopher", None)]
    fn services_are_found(#[case] name: &str, #[case] port: Option<u16>) {
        assert_eq!(tcp_port(SERVICES, name), port);
    }
}
