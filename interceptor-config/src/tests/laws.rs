// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What holds under every configuration.

use std::net::Ipv4Addr;

use interceptor_policy::{Action, AddressClass, Tables as _};
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// So few numbers that lists and connections meet.
const PORTS: &[u16] = &[53, 80, 443, 3306, 8080, 9000, 15001, 15006, 15008];
const IPS: &[&str] = &[
    "10.1.1.5",
    "10.1.1.6",
    "10.96.0.10",
    "10.96.7.1",
    "127.0.0.1",
    "127.0.0.2",
    "127.0.0.6",
    "172.16.3.4",
    "198.51.100.1",
    "0.0.0.0",
];
const RANGES: &[&str] = &[
    "10.0.0.0/8",
    "10.96.0.0/16",
    "10.96.7.1/24",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "198.51.100.1/32",
    "0.0.0.0/0",
    "::1/128",
    "::/0",
];

#[derive(Clone, Debug)]
struct Lists {
    included: Vec<&'static str>,
    excluded: Vec<&'static str>,
    ports_included: Vec<u16>,
    ports_excluded: Vec<u16>,
}

impl Lists {
    fn any() -> impl Strategy<Value = Self> {
        let ranges = || vec(select(RANGES), 0..4);
        let ports = || vec(select(PORTS), 0..3);
        (ranges(), ranges(), ports(), ports()).prop_map(|(included, excluded, ports_included, ports_excluded)| Self {
            included,
            excluded,
            ports_included,
            ports_excluded,
        })
    }

    fn policy(&self) -> CompiledPolicy {
        let Self { included, excluded, ports_included, ports_excluded } = self;
        let ports = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        let (included, excluded) = (included.join(","), excluded.join(","));
        policy(
            &["-i", &included, "-x", &excluded, "-q", &ports(ports_included), "-o", &ports(ports_excluded)],
            &[],
        )
    }
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    by: By,
    protocol: Protocol,
    source: &'static str,
    ip: &'static str,
    port: u16,
}

impl Connection {
    fn any() -> impl Strategy<Value = Self> {
        let by = select(&[APP, PROXY, PROXY_BY_GROUP][..]);
        let protocol = select(&[Protocol::Tcp, Protocol::Udp, Protocol::Other][..]);
        let source = select(&["0.0.0.0", "127.0.0.1", "127.0.0.6", "10.1.1.5"][..]);
        (by, protocol, source, select(IPS), select(PORTS)).prop_map(|(by, protocol, source, ip, port)| Self {
            by,
            protocol,
            source,
            ip,
            port,
        })
    }

    fn decide(self, policy: &CompiledPolicy) -> Action {
        let Self { by, protocol, source, ip, port } = self;
        outbound_from(policy, by, protocol, source, &format!("{ip}:{port}"))
            .action()
            .unwrap()
    }
}

proptest! {
    #[test]
    fn the_proxy_is_never_redirected_to_the_outside(
        lists in Lists::any(),
        connection in Connection::any(),
        ip in select(&["10.2.0.9", "198.51.100.1"][..]),
    ) {
        for by in [PROXY, PROXY_BY_GROUP] {
            prop_assert_eq!(Connection { by, ip, ..connection }.decide(&lists.policy()), Action::Pass);
        }
    }

    #[test]
    fn the_proxy_is_never_redirected_to_its_own_outbound_side(lists in Lists::any(), connection in Connection::any()) {
        for by in [PROXY, PROXY_BY_GROUP] {
            prop_assert_ne!(Connection { by, ..connection }.decide(&lists.policy()), Action::RedirectOutbound);
        }
    }

    #[test]
    fn the_loopback_address_is_never_redirected(lists in Lists::any(), connection in Connection::any()) {
        prop_assert_eq!(Connection { ip: "127.0.0.1", ..connection }.decide(&lists.policy()), Action::Pass);
    }

    #[test]
    fn an_exclude_never_adds_a_redirect(
        lists in Lists::any(),
        connection in Connection::any(),
        range in select(RANGES),
        port in select(PORTS),
    ) {
        let before = connection.decide(&lists.policy());
        let mut more = lists;
        more.excluded.push(range);
        more.ports_excluded.push(port);
        let after = connection.decide(&more.policy());
        prop_assert!(after == before || after == Action::Pass, "{:?} became {:?}", before, after);
    }

    #[test]
    fn an_included_port_never_removes_a_redirect(
        lists in Lists::any(),
        connection in Connection::any(),
        port in select(PORTS),
    ) {
        let before = connection.decide(&lists.policy());
        let mut more = lists;
        more.ports_included.push(port);
        let after = connection.decide(&more.policy());
        prop_assert!(after == before || before == Action::Pass, "{:?} became {:?}", before, after);
    }

    #[test]
    fn only_tcp_is_redirected(lists in Lists::any(), connection in Connection::any()) {
        let action = connection.decide(&lists.policy());
        prop_assert!(connection.protocol == Protocol::Tcp || action == Action::Pass);
    }

    #[test]
    fn the_tables_say_what_the_lists_say(
        lists in Lists::any(),
        ip in prop_oneof![select(IPS).prop_map(|ip| ip.parse().unwrap()), any::<u32>().prop_map(Ipv4Addr::from)],
    ) {
        let said = lists.policy().address(Address::from(ip));
        let holds = |range: &&str| {
            let cidr = crate::parse::cidr(Setting::ServiceCidr, range).unwrap();
            ipnet::IpNet::new(cidr.address(), cidr.prefix_len()).unwrap().contains(&std::net::IpAddr::V4(ip))
        };
        prop_assert_eq!(said.has(AddressClass::OUTBOUND_INCLUDED), lists.included.iter().any(holds));
        prop_assert_eq!(said.has(AddressClass::OUTBOUND_EXCLUDED), lists.excluded.iter().any(holds));
        prop_assert_eq!(said.has(AddressClass::LOOPBACK_EXEMPT), ip == Ipv4Addr::LOCALHOST);
        let own = pod().interfaces.iter().any(|interface| interface.addresses.contains(&ip.into()));
        prop_assert_eq!(said.has(AddressClass::LOCAL), own || ip.is_loopback());
    }
}
