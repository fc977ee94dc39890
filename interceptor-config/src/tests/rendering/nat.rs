// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `nat`.

use rstest::rstest;

use super::{SERVERS, chain, render, table};

fn v4(args: &[&str], name: &str) -> Vec<String> {
    lines(&render(args, &[], SERVERS).v4, name)
}

fn v6(args: &[&str], name: &str) -> Vec<String> {
    lines(&render(args, &[], SERVERS).v6.unwrap(), name)
}

fn lines(text: &str, name: &str) -> Vec<String> {
    chain(text, "nat", name).into_iter().map(str::to_owned).collect()
}

/// The rules of a chain without those that are there by default.
fn added(args: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let plain = v4(&[], "ISTIO_OUTPUT");
    lines(&render(args, variables, SERVERS).v4, "ISTIO_OUTPUT")
        .into_iter()
        .filter(|rule| !plain.contains(rule))
        .collect()
}

#[test]
fn chains_are_made_in_the_order_in_which_they_are_used() {
    let text = render(&["--redirect-dns", "-b", "80"], &[], SERVERS).v4;
    let made: Vec<_> = table(&text, "nat")
        .into_iter()
        .filter_map(|line| line.strip_prefix("-N "))
        .collect();
    assert_eq!(
        made,
        ["ISTIO_INBOUND", "ISTIO_REDIRECT", "ISTIO_IN_REDIRECT", "ISTIO_OUTPUT", "ISTIO_OUTPUT_DNS"]
    );
}

#[test]
fn the_sidecars_ports_are_taken_over() {
    let ports = ["-p", "16001", "-z", "16006", "-e", "16008"];
    assert_eq!(v4(&ports, "ISTIO_REDIRECT"), ["-p tcp -j REDIRECT --to-ports 16001"]);
    assert_eq!(v6(&ports, "ISTIO_IN_REDIRECT"), ["-p tcp -j REDIRECT --to-ports 16006"]);
    assert_eq!(v4(&ports, "ISTIO_INBOUND"), ["-p tcp --dport 16008 -j RETURN"]);
    assert!(v4(&ports, "ISTIO_OUTPUT")[1].contains(" ! --dport 16008 "));
}

#[rstest]
#[case::none(&["-b", ""], &[], &[])]
#[case::a_list_of_nothing(&["-b", ","], &[], &[])]
#[case::listed(&["-b", "80,8000:8010", "-d", "80"], &["-p tcp -j ISTIO_INBOUND"],
    &["-p tcp --dport 80 -j ISTIO_IN_REDIRECT", "-p tcp --dport 8000:8010 -j ISTIO_IN_REDIRECT"])]
#[case::all(&["-b", "*"], &["-p tcp -j ISTIO_INBOUND"], &["-p tcp -j ISTIO_IN_REDIRECT"])]
#[case::all_but(&["-b", "*", "-d", "22,15090"], &["-p tcp -j ISTIO_INBOUND"],
    &["-p tcp --dport 22 -j RETURN", "-p tcp --dport 15090 -j RETURN", "-p tcp -j ISTIO_IN_REDIRECT"])]
#[case::with_tproxy_it_is_for_mangle(&["-b", "*", "-m", "TPROXY"], &[], &[])]
fn inbound_ports(#[case] args: &[&str], #[case] prerouting: &[&str], #[case] rules: &[&str]) {
    let tunnel = "-p tcp --dport 15008 -j RETURN";
    for family in [v4, v6] {
        assert_eq!(family(args, "PREROUTING"), prerouting);
        assert_eq!(family(args, "ISTIO_INBOUND"), [&[tunnel], rules].concat());
    }
}

#[test]
fn interfaces_that_are_left_alone_come_first() {
    let args = ["-c", "net1,eth+", "-b", "*"];
    assert_eq!(
        v4(&args, "PREROUTING"),
        ["-i net1 -j RETURN", "-i eth+ -j RETURN", "-p tcp -j ISTIO_INBOUND"]
    );
    assert_eq!(
        v6(&args, "OUTPUT"),
        ["-o net1 -j RETURN", "-o eth+ -j RETURN", "-j ISTIO_OUTPUT"]
    );
}

#[rstest]
#[case::nothing_included("", &[])]
#[case::all("*", &["-I PREROUTING 1 -i a -j ISTIO_REDIRECT", "-I PREROUTING 1 -i b -j ISTIO_REDIRECT"])]
#[case::ranges_of_its_family("10.0.0.0/8,2001:db8::/32,10.1.2.3/16", &[
    "-I PREROUTING 1 -i a -d 10.0.0.0/8 -j ISTIO_REDIRECT",
    "-I PREROUTING 1 -i b -d 10.0.0.0/8 -j ISTIO_REDIRECT",
    "-I PREROUTING 1 -i a -d 10.1.2.3/16 -j ISTIO_REDIRECT",
    "-I PREROUTING 1 -i b -d 10.1.2.3/16 -j ISTIO_REDIRECT",
])]
fn what_virtual_machines_send_is_inserted_before_all_else(#[case] included: &str, #[case] redirects: &[&str]) {
    let returns = ["-I PREROUTING 1 -i a -j RETURN", "-I PREROUTING 1 -i b -j RETURN"];
    assert_eq!(v4(&["-k", "a,b", "-i", included], "PREROUTING"), [&returns, redirects].concat());
}

#[test]
fn outbound_rules_in_order() {
    let args = [
        "-o",
        "3306",
        "-x",
        "10.9.0.0/16,fd09::/16",
        "-q",
        "9000",
        "-i",
        "10.0.0.0/8,fd00::/8",
        "-g",
        "77",
        "--redirect-dns",
    ];
    let v4 = [
        "-p tcp --dport 3306 -j RETURN",
        "-p udp --dport 3306 -j RETURN",
        "-o lo -s 127.0.0.6/32 -j RETURN",
        "-o lo ! -d 127.0.0.1/32 -p tcp -m multiport ! --dports 53,15008 -m owner --uid-owner 1337 \
         -j ISTIO_IN_REDIRECT",
        "-o lo -p tcp ! --dport 53 -m owner ! --uid-owner 1337 -j RETURN",
        "-m owner --uid-owner 1337 -j RETURN",
        "-o lo ! -d 127.0.0.1/32 -p tcp ! --dport 15008 -m owner --gid-owner 77 -j ISTIO_IN_REDIRECT",
        "-o lo -p tcp ! --dport 53 -m owner ! --gid-owner 77 -j RETURN",
        "-m owner --gid-owner 77 -j RETURN",
        "-j ISTIO_OUTPUT_DNS",
        "-d 127.0.0.1/32 -j RETURN",
        "-d 10.9.0.0/16 -j RETURN",
        "-p tcp --dport 9000 -j ISTIO_REDIRECT",
        "-d 10.0.0.0/8 -j ISTIO_REDIRECT",
    ];
    let of_v6 = |rule: &str| {
        let pairs = [
            ("127.0.0.6/32", "::6/128"),
            ("127.0.0.1/32", "::1/128"),
            ("10.9.0.0/16", "fd09::/16"),
            ("10.0.0.0/8", "fd00::/8"),
        ];
        pairs.iter().fold(rule.to_owned(), |rule, (v4, v6)| rule.replace(v4, v6))
    };
    assert_eq!(self::v4(&args, "ISTIO_OUTPUT"), v4);
    assert_eq!(v6(&args, "ISTIO_OUTPUT"), v4.map(of_v6));
}

#[test]
fn each_identity_of_the_sidecar_has_its_rules_users_first() {
    let rules = v4(&["-u", "3,4", "-g", "1"], "ISTIO_OUTPUT");
    let owners: Vec<_> = rules
        .iter()
        .filter(|rule| rule.starts_with("-m owner"))
        .map(|rule| &rule["-m owner ".len()..rule.len() - 10])
        .collect();
    assert_eq!(owners, ["--uid-owner 3", "--uid-owner 4", "--gid-owner 1"]);
    assert!(rules.contains(&"-o lo -m owner ! --uid-owner 4 -j RETURN".to_owned()));
}

#[rstest]
#[case::v4("127.1.2.3/32", false)]
#[case::v6("::1/128", false)]
#[case::loopback_address_of_a_wide_range("127.0.0.1/0", false)]
#[case::a_range_around_loopback_is_none("0.0.0.0/0,::/0", true)]
#[case::all("*", true)]
fn a_loopback_range_of_either_family_lifts_the_rule_for_local_destinations(#[case] included: &str, #[case] kept: bool) {
    for rules in [v4(&["-i", included], "ISTIO_OUTPUT"), v6(&["-i", included], "ISTIO_OUTPUT")] {
        assert_eq!(
            rules.iter().any(|rule| rule == "-o lo -m owner ! --uid-owner 1337 -j RETURN"),
            kept
        );
    }
}

#[rstest]
#[case::everyone("*", "", &[])]
#[case::excluded("*", "888,ftp", &["-m owner --gid-owner 888 -j RETURN", "-m owner --gid-owner 301 -j RETURN"])]
#[case::included("java,202", "ftp", &["-m owner ! --gid-owner 300 -m owner ! --gid-owner 202 -j RETURN"])]
#[case::nobody("", "", &["-j RETURN"])]
fn owner_groups(#[case] included: &str, #[case] excluded: &str, #[case] rules: &[&str]) {
    let variables = [("ISTIO_OUTBOUND_OWNER_GROUPS", included), ("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", excluded)];
    assert_eq!(added(&[], &variables), rules);
}

#[rstest]
#[case::off(&[], &[], &[])]
#[case::all(&["--redirect-dns", "--capture-all-dns"],
    &["-p tcp --dport 53 -j REDIRECT --to-ports 15053", "-p udp --dport 53 -j REDIRECT --to-port 15053"],
    &["-p tcp --dport 53 -j REDIRECT --to-ports 15053", "-p udp --dport 53 -j REDIRECT --to-port 15053"])]
#[case::servers_of_its_family(&["--redirect-dns"],
    &[
        "-p tcp --dport 53 -d 10.96.0.10/32 -j REDIRECT --to-ports 15053",
        "-p tcp --dport 53 -d 10.96.0.11/32 -j REDIRECT --to-ports 15053",
        "-p udp --dport 53 -d 10.96.0.10/32 -j REDIRECT --to-port 15053",
        "-p udp --dport 53 -d 10.96.0.11/32 -j REDIRECT --to-port 15053",
    ],
    &[
        "-p tcp --dport 53 -d fd00::a/128 -j REDIRECT --to-ports 15053",
        "-p udp --dport 53 -d fd00::a/128 -j REDIRECT --to-port 15053",
    ])]
fn dns(#[case] args: &[&str], #[case] rules_v4: &[&str], #[case] rules_v6: &[&str]) {
    assert_eq!(v4(args, "ISTIO_OUTPUT_DNS"), rules_v4);
    assert_eq!(v6(args, "ISTIO_OUTPUT_DNS"), rules_v6);
}

#[test]
fn a_family_without_a_dns_server_has_no_chain_for_it_but_knows_of_the_capture() {
    let v6 = render(&["--redirect-dns"], &[], "nameserver 10.96.0.10").v6.unwrap();
    assert!(!table(&v6, "nat").iter().any(|line| line.contains("ISTIO_OUTPUT_DNS")));
    assert!(
        chain(&v6, "nat", "ISTIO_OUTPUT").contains(&"-o lo -p tcp ! --dport 53 -m owner ! --uid-owner 1337 -j RETURN")
    );
}

#[test]
fn without_any_dns_server_dns_is_not_captured() {
    assert_eq!(render(&["--redirect-dns"], &[], "nameserver nowhere"), render(&[], &[], ""));
}

#[test]
fn another_loopback_range_is_for_ipv4_only() {
    let rendered = render(&[], &[("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.1/8")], "");
    assert_eq!(rendered.v4.matches("-d 127.0.0.1/8 ").count(), 3);
    assert_eq!(rendered.v6, render(&[], &[], "").v6);
}
