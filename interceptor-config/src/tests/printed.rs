// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration as it is printed, one `KEY=value` a line. People and support tools search these lines, so the
//! files in `printed/` only change if Istio's do.

use std::collections::BTreeMap;

use rstest::rstest;

use super::*;
use crate::Wanted;

const SERVERS: &str = "nameserver 10.96.0.10\nnameserver fd00::a\n";

/// As the command line prints it.
fn lines(config: &IstioConfig) -> String {
    let serde_json::Value::Object(settings) = serde_json::to_value(config).unwrap() else {
        panic!("a configuration serializes as a map")
    };
    let text = |value: serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        value => value.to_string(),
    };
    settings
        .into_iter()
        .fold(String::new(), |lines, (key, value)| format!("{lines}{key}={}\n", text(value)))
}

#[rstest]
#[case::default(&["--skip-rule-apply"], &[], include_str!("printed/default.txt"))]
#[case::all_flags(
    &[
        "-m", "TPROXY", "-t", "7", "-r", "8", "-c", "eth0,eth1", "--redirect-dns", "--reconcile", "--force-apply",
        "--probe-timeout", "1m30s", "--force-iptables-binary", "nft", "--native-nftables", "--cni-mode",
        "--network-namespace", "/x", "--drop-invalid", "--dual-stack", "--iptables-probe-port", "1234", "-q", "1,2",
        "-o", "3:4", "-i", "10.1.2.3/8", "-x", "10.0.0.0/16", "--skip-rule-apply",
    ],
    &[],
    include_str!("printed/all_flags.txt"),
)]
#[case::variables(
    &["-b", "80", "-d", "90", "--capture-all-dns", "--skip-rule-apply"],
    &[
        ("DRY_RUN_FILE_PATH", "/x"),
        ("ISTIO_OUTBOUND_OWNER_GROUPS", "1,2"),
        ("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "3"),
        ("DRY_RUN", "maybe"),
        ("PROBE_TIMEOUT", "5"),
        ("IPTABLES_PROBE_PORT", "70000"),
        ("ISTIO_DUAL_STACK", "true"),
    ],
    include_str!("printed/variables.txt"),
)]
fn the_printed_configuration_stays(#[case] args: &[&str], #[case] variables: &[(&str, &str)], #[case] printed: &str) {
    assert_eq!(lines(&read(args, variables, SERVERS).unwrap().0), printed);
}

#[test]
fn acceleration_adds_lines_only_if_it_is_asked_for() {
    let printed = |args: &[&str]| lines(&read(args, &[], SERVERS).unwrap().0);
    let (without, with) = (printed(&["--accelerate-budget", "131072"]), printed(&["--accelerate"]));
    let added: Vec<&str> = with.lines().filter(|line| !without.contains(line)).collect();
    assert_eq!(added, ["ACCELERATE_BUDGET=1048576", "FORCE_ACCELERATE=false"]);
    assert!(without.lines().all(|line| !line.contains("ACCELERATE")));
}

#[rstest]
#[case::defaults(&[])]
#[case::everything(&[
    "-p", "1", "-z", "2", "-e", "3", "-u", "1001,1003-1005", "-g", "7", "-m", "TPROXY", "-t", "0x10", "-r", "8",
    "-c", "eth0,eth1", "--redirect-dns", "--drop-invalid", "--dual-stack", "-q", "1,2", "-o", "3:4", "-i", "10.1.2.3/8",
    "-x", "10.0.0.0/16", "-b", "80,90:95", "-d", "90", "--guard", "on", "--accelerate", "--accelerate-budget", "131072",
    "--reconcile", "--force-apply", "--probe-timeout", "1.5s", "--force-iptables-binary", "nft", "--native-nftables",
    "--cni-mode", "--network-namespace", "/x", "--iptables-probe-port", "1234", "--run-validation", "--dry-run",
])]
#[case::no_port_and_no_range(&["-b", "", "-i", ""])]
#[case::all_ports_and_ranges(&["-b", "*", "-i", "*", "-d", "15020,15021"])]
#[case::all_dns(&["--redirect-dns", "--capture-all-dns", "--guard", "off"])]
#[case::forced_acceleration(&["--force-accelerate"])]
fn what_is_printed_is_read_back(#[case] args: &[&str]) {
    let variables = [("ISTIO_OUTBOUND_OWNER_GROUPS", "1,2"), ("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "3")];
    let wanted = read(args, &variables, SERVERS).unwrap().0.supported().unwrap();
    let printed = lines(wanted.config());
    let printed = printed.lines().map(|line| line.split_once('=').unwrap());
    let printed: BTreeMap<String, String> = printed.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    assert_eq!(Wanted::from_printed(&printed), Ok(wanted));
}

#[test]
fn what_another_version_printed_is_refused_by_name() {
    let printed = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.to_owned())]);
    let error = Wanted::from_printed(&printed("PROXY_COLOR", "blue")).unwrap_err();
    assert!(error.to_string().contains("`PROXY_COLOR`"), "{error}");
    let error = Wanted::from_printed(&printed("PROXY_PORT", "blue")).unwrap_err();
    assert!(error.to_string().contains("`blue`"), "{error}");
}
