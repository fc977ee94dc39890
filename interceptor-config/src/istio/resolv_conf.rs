// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The DNS servers that a pod asks, as `resolv.conf` lists them. The caller reads the file.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use serde::{Serialize, Serializer};

use crate::{error::ConfigError, settings::Setting};

/// Where the DNS servers are listed. The file is read only if the list matters.
#[derive(Clone, Copy)]
pub struct ResolvConf<'a> {
    /// What warnings and errors call it.
    pub path: &'a Path,
    /// Gives the contents of `path`.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

/// The servers of a pod, in the order of their list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsServers {
    pub v4: Vec<Ipv4Addr>,
    /// IPv4-mapped addresses are among them: Istio puts such an address in an IPv6 rule, which no packet matches.
    pub v6: Vec<Ipv6Addr>,
}

impl DnsServers {
    /// The servers to which a packet can be sent.
    pub(crate) fn askable(&self) -> impl Iterator<Item = IpAddr> {
        let v6 = self.v6.iter().filter(|server| server.to_ipv4_mapped().is_none()).copied();
        self.v4.iter().copied().map(IpAddr::V4).chain(v6.map(IpAddr::V6))
    }

    /// Reads the list. There is a warning for each entry that is skipped, and one for a list that has no other
    /// entries.
    pub(super) fn read(resolv_conf: ResolvConf<'_>) -> Result<(Self, Vec<String>), ConfigError> {
        let ResolvConf { path, read } = resolv_conf;
        let contents =
            read(path).map_err(|error| ConfigError::ResolvConf { path: path.to_owned(), reason: error.to_string() })?;
        let (mut servers, mut warnings) = (Self::default(), Vec::new());
        for name in nameservers(&String::from_utf8_lossy(&contents)) {
            match name.parse() {
                Ok(IpAddr::V4(v4)) => servers.v4.push(v4),
                Ok(IpAddr::V6(v6)) => servers.v6.push(v6),
                // This includes addresses with a zone. Istio takes them, and ip6tables then refuses all of Istio's
                // rules.
                Err(_not_an_address) => {
                    warnings.push(format!("{}: nameserver `{name}` is not an IP address; skipped", path.display()));
                }
            }
        }
        if servers == Self::default() {
            let setting = Setting::RedirectDns;
            let path = path.display();
            warnings.push(format!(
                "{setting}: `true` has no effect: {path} names no DNS server, so DNS is not captured"
            ));
        }
        Ok((servers, warnings))
    }
}

/// The words after `nameserver`, line by line, as Istio's DNS library
/// [reads them](https://github.com/miekg/dns/blob/master/clientconfig.go). The library reads all servers, not only the
/// three that a resolver uses.
fn nameservers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver") { words.next() } else { None }
    })
}

impl fmt::Display for DnsServers {
    /// As Istio prints its configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { v4, v6 } = self;
        let v4: Vec<_> = v4.iter().map(Ipv4Addr::to_string).collect();
        let v6: Vec<_> = v6.iter().map(Ipv6Addr::to_string).collect();
        write!(f, "[{}],[{}]", v4.join(" "), v6.join(" "))
    }
}

impl Serialize for DnsServers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(contents: &str) -> (String, Vec<String>) {
        let file = ResolvConf { path: Path::new("/etc/resolv.conf"), read: &|_path| Ok(contents.into()) };
        let (servers, warnings) = DnsServers::read(file).unwrap();
        (servers.to_string(), warnings)
    }

    #[rstest]
    #[case::one("nameserver 10.96.0.10\n", "[10.96.0.10],[]")]
    #[case::both_families(
        "nameserver fd00::a\nnameserver 10.96.0.10\nnameserver 127.0.0.53\n",
        "[10.96.0.10 127.0.0.53],[fd00::a]"
    )]
    #[case::more_than_a_resolver_uses(
        "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4",
        "[1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4],[]"
    )]
    #[case::other_lines(
        "search web.svc\n# nameserver 9.9.9.9\n;nameserver 9.9.9.9\n\noptions ndots:5\nnameserver 1.1.1.1",
        "[1.1.1.1],[]"
    )]
    #[case::blanks_and_what_follows("\t nameserver\t1.1.1.1 # ours\r\n", "[1.1.1.1],[]")]
    #[case::no_value("nameserver\nnameserver 1.1.1.1\n", "[1.1.1.1],[]")]
    #[case::another_word("nameservers 9.9.9.9\nNameserver 9.9.9.9\nnameserver 1.1.1.1", "[1.1.1.1],[]")]
    #[case::twice("nameserver 1.1.1.1\nnameserver 1.1.1.1\n", "[1.1.1.1 1.1.1.1],[]")]
    #[case::mapped_is_an_ipv6_server("nameserver ::ffff:1.1.1.1", "[],[::ffff:1.1.1.1]")]
    fn servers_are_listed(#[case] contents: &str, #[case] servers: &str) {
        assert_eq!(read(contents), (servers.to_owned(), Vec::new()));
    }

    #[rstest]
    #[case::zone("fe80::1%eth0")]
    #[case::name("dns.example.com")]
    #[case::leading_zero("010.0.0.1")]
    #[case::port("1.1.1.1:53")]
    #[case::brackets("[fd00::a]")]
    #[case::comment_without_a_blank("1.1.1.1#53")]
    fn what_is_not_an_address_is_skipped_with_a_warning(#[case] name: &str) {
        let (servers, warnings) = read(&format!("nameserver {name}\nnameserver 1.1.1.1"));
        assert_eq!(servers, "[1.1.1.1],[]");
        assert_eq!(
            warnings,
            [format!("/etc/resolv.conf: nameserver `{name}` is not an IP address; skipped")]
        );
    }

    #[rstest]
    #[case::empty("", 1)]
    #[case::nothing_usable("nameserver dns.example.com", 2)]
    fn a_list_without_a_server_is_worth_a_warning(#[case] contents: &str, #[case] count: usize) {
        let (servers, warnings) = read(contents);
        assert_eq!((servers.as_str(), warnings.len()), ("[],[]", count), "{warnings:?}");
        assert!(
            warnings[count - 1].contains("`true` has no effect: /etc/resolv.conf names no DNS server"),
            "{warnings:?}"
        );
    }

    #[test]
    fn a_list_that_cannot_be_read_is_an_error() {
        let file = ResolvConf {
            path: Path::new("/no/such/file"),
            read: &|_path| Err(io::ErrorKind::NotFound.into()),
        };
        let error = DnsServers::read(file).unwrap_err().to_string();
        assert!(error.starts_with("failed to load /no/such/file: entity not found; "), "{error}");
    }
}
