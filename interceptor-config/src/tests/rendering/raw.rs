// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `raw`.

use super::{SERVERS, chain, render, table};

const PROXY: [&str; 4] = [
    "-p udp --dport 53 -m owner --uid-owner 3 -j CT --zone 1",
    "-p udp --sport 15053 -m owner --uid-owner 3 -j CT --zone 2",
    "-p udp --dport 53 -m owner --gid-owner 1 -j CT --zone 1",
    "-p udp --sport 15053 -m owner --gid-owner 1 -j CT --zone 2",
];
const DNS: &[&str] = &["--redirect-dns", "-u", "3", "-g", "1"];

#[test]
fn the_zones_are_for_dns_only() {
    assert_eq!(table(&render(&["-u", "3"], &[], SERVERS).v4, "raw"), Vec::<&str>::new());
    assert_eq!(table(&render(DNS, &[], "").v4, "raw"), Vec::<&str>::new());
}

#[test]
fn all_queries() {
    let rendered = render(&[DNS, &["--capture-all-dns"]].concat(), &[], SERVERS);
    for text in [&rendered.v4, rendered.v6.as_ref().unwrap()] {
        assert_eq!(chain(text, "raw", "OUTPUT"), ["-j ISTIO_OUTPUT_DNS"]);
        assert_eq!(chain(text, "raw", "PREROUTING"), ["-j ISTIO_INBOUND"]);
        assert_eq!(
            chain(text, "raw", "ISTIO_OUTPUT_DNS"),
            [&PROXY[..], &["-p udp --dport 53 -j CT --zone 2"]].concat()
        );
        assert_eq!(chain(text, "raw", "ISTIO_INBOUND"), ["-p udp --sport 53 -j CT --zone 1"]);
    }
}

#[test]
fn queries_to_the_servers_of_the_family() {
    let rendered = render(DNS, &[], SERVERS);
    let (queries, answers) = (
        [
            "-p udp --dport 53 -d 10.96.0.10/32 -j CT --zone 2",
            "-p udp --dport 53 -d 10.96.0.11/32 -j CT --zone 2",
        ],
        [
            "-p udp --sport 53 -s 10.96.0.10/32 -j CT --zone 1",
            "-p udp --sport 53 -s 10.96.0.11/32 -j CT --zone 1",
        ],
    );
    assert_eq!(chain(&rendered.v4, "raw", "ISTIO_OUTPUT_DNS"), [&PROXY[..], &queries].concat());
    assert_eq!(chain(&rendered.v4, "raw", "ISTIO_INBOUND"), answers);
    let v6 = rendered.v6.unwrap();
    assert_eq!(
        chain(&v6, "raw", "ISTIO_OUTPUT_DNS"),
        [&PROXY[..], &["-p udp --dport 53 -d fd00::a/128 -j CT --zone 2"]].concat()
    );
    assert_eq!(
        chain(&v6, "raw", "ISTIO_INBOUND"),
        ["-p udp --sport 53 -s fd00::a/128 -j CT --zone 1"]
    );
}

#[test]
fn a_family_without_a_server_has_the_sidecars_zones_and_no_others() {
    let v6 = render(DNS, &[], "nameserver 10.96.0.10").v6.unwrap();
    assert_eq!(chain(&v6, "raw", "ISTIO_OUTPUT_DNS"), PROXY);
    assert!(
        !table(&v6, "raw")
            .iter()
            .any(|line| line.contains("INBOUND") || line.contains("PREROUTING"))
    );
}
