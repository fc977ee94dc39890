// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ports that the container for validation names.

use rstest::rstest;

use super::*;

fn validated_with(args: &[&str]) -> Value {
    let mut pod = injected();
    pod["spec"]["initContainers"] = json!([{"name": "istio-validation", "args": args}]);
    pod
}

/// Outbound and inbound.
fn ports(pod: &Value) -> ((u16, u16), Vec<String>) {
    let (wanted, warnings) = intercepted(pod);
    let proxy = &wanted.config().proxy;
    ((proxy.envoy_port, proxy.inbound_capture_port), warnings)
}

#[rstest]
#[case::as_injected(
    &[
        "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*",
        "-d", "15090,15021,15020", "--log_output_level=default:info", "--run-validation", "--skip-rule-apply",
    ],
    (15001, 15006),
    &[]
)]
#[case::no_arguments(&[], (15001, 15006), &[])]
#[case::short(&["istio-iptables", "-p", "16001", "-z", "16006"], (16001, 16006), &["is 16001", "is 16006"])]
#[case::long(&["--envoy-port=16001", "--run-validation"], (16001, 15006), &["is 16001"])]
#[case::one_is_no_port(&["-p", "$(PORT)", "-z", "16006"], (15001, 16006), &["`$(PORT)` is not one port", "is 16006"])]
#[case::zero(&["-p", "0"], (15001, 15006), &["`0` is not one port"])]
#[case::unknown_flag(&["-p", "16001", "--new-flag"], (15001, 15006), &["not read"])]
#[case::help(&["--help"], (15001, 15006), &["not read"])]
fn ports_come_from_the_validation(#[case] args: &[&str], #[case] expected: (u16, u16), #[case] warned: &[&str]) {
    let (found, warnings) = ports(&validated_with(args));
    assert_eq!(found, expected);
    assert_eq!(warnings.len(), warned.len(), "{warnings:?}");
    for (warning, text) in warnings.iter().zip(warned) {
        assert!(
            warning.starts_with("arguments of istio-validation: ") && warning.contains(text),
            "{warning}"
        );
        assert!(!warning.contains('\n'), "{warning}");
    }
}

#[test]
fn nothing_but_ports_comes_from_the_validation() {
    let pod = validated_with(&["-i", "10.0.0.0/8", "-u", "7", "-m", "TPROXY", "--redirect-dns"]);
    assert_eq!(intercepted(&pod), intercepted(&injected()));
}
