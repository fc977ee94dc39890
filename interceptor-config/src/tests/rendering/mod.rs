// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules that istio-iptables would write, one file per table. Chains are shown as they are written, inserts last.

mod mangle;
mod nat;
mod raw;

use rstest::rstest;

use super::read;
use crate::render::{Rendered, iptables};

/// Two servers of IPv4 and one of IPv6.
const SERVERS: &str = "nameserver 10.96.0.10\nnameserver fd00::a\nnameserver 10.96.0.11\n";

/// Of a pod whose IPv6 is intercepted.
fn render(args: &[&str], variables: &[(&str, &str)], resolv_conf: &str) -> Rendered {
    iptables(&read(args, variables, resolv_conf).unwrap().0, true)
}

/// What is written between the name of a table and its `COMMIT`; nothing if the table is not there.
fn table<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let heading = format!("* {name}");
    text.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| *line != "COMMIT")
        .collect()
}

/// The rules of a chain, without `-A` and the chain's name.
fn chain<'a>(text: &'a str, name: &str, chain: &str) -> Vec<&'a str> {
    let (append, insert) = (format!("-A {chain} "), format!("-I {chain} "));
    let rule = |line: &'a str| {
        line.strip_prefix(&append)
            .or_else(|| line.strip_prefix(&insert).map(|_position| line))
    };
    table(text, name).into_iter().filter_map(rule).collect()
}

fn tables(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("* ")).collect()
}

#[rstest]
#[case::by_default(&[], &["nat"])]
#[case::drop_invalid(&["--drop-invalid"], &["mangle", "nat"])]
#[case::dns(&["--redirect-dns"], &["nat", "raw"])]
#[case::tproxy_and_dns(&["-m", "TPROXY", "--redirect-dns"], &["mangle", "nat", "raw"])]
fn tables_come_in_alphabetical_order_and_only_if_they_have_rules(#[case] args: &[&str], #[case] names: &[&str]) {
    let Rendered { v4, v6 } = render(args, &[], SERVERS);
    assert_eq!(tables(&v4), names);
    assert_eq!(tables(&v6.unwrap()), names);
    assert_eq!(v4.lines().filter(|line| *line == "COMMIT").count(), names.len());
    assert!(v4.ends_with("COMMIT\n"));
}

#[test]
fn without_ipv6_there_are_rules_for_ipv4_only() {
    let config = read(&["-i", "*"], &[], "").unwrap().0;
    assert_eq!(iptables(&config, false).v6, None);
    assert_eq!(iptables(&config, false).v4, iptables(&config, true).v4);
}

#[rstest]
#[case::virtual_interfaces(&["-k", "net1"])]
fn what_cannot_be_put_in_force_yet_can_be_rendered(#[case] args: &[&str]) {
    let (config, warnings) = read(args, &[], SERVERS).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert!(iptables(&config, true).v6.is_some());
    config.supported().unwrap_err();
}

#[rstest]
#[case::reconcile(
    &["--reconcile", "--force-apply", "--cleanup-only", "--skip-rule-apply", "--run-validation", "--dry-run"]
)]
#[case::binaries(
    &["--native-nftables", "--force-iptables-binary=legacy", "--cni-mode", "--network-namespace=/proc/1/ns/net"]
)]
#[case::of_tproxy_only(&["-t", "7", "-r", "8"])]
#[case::dual_stack(&["--dual-stack"])]
#[case::of_dns_only(&["--capture-all-dns"])]
#[case::of_a_wildcard_only(&["-d", "15090"])]
#[case::probe(&["--iptables-probe-port=1", "--probe-timeout=1s"])]
fn what_is_in_no_rule_changes_none(#[case] args: &[&str]) {
    assert_eq!(render(args, &[], ""), render(&[], &[], ""));
}

#[rstest]
#[case::service("-q", "http,https", "80,443")]
#[case::range_without_end("-o", "60000:", "60000:65535")]
#[case::range_without_start("-b", ":1023", "0:1023")]
#[case::blanks("-b", "80, 443", "80,443")]
#[case::group("-g", "java", "300")]
#[case::user("-u", "envoy,root", "4242,0")]
#[case::range_of_users_with_a_dash("-u", "1000-2000", "1000:2000")]
#[case::mark("-t", "0x539", "1337")]
#[case::port("-p", "https", "443")]
#[case::empty_items("-i", "10.0.0.0/8,,", "10.0.0.0/8")]
fn spellings_of_one_value_make_the_same_rules(#[case] flag: &str, #[case] one: &str, #[case] other: &str) {
    let all = ["-m", "TPROXY", "-g", "77", flag];
    assert_eq!(
        render(&[&all[..], &[one]].concat(), &[], ""),
        render(&[&all[..], &[other]].concat(), &[], "")
    );
}
