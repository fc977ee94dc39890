// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `mangle`.

use rstest::rstest;

use super::{chain, render, table};

#[rstest]
#[case::redirect(&["-b", "*", "-c", "net1"])]
#[case::another_spelling(&["-b", "*", "-m", "tproxy"])]
fn redirect_needs_nothing(#[case] args: &[&str]) {
    assert_eq!(table(&render(args, &[], "").v4, "mangle"), Vec::<&str>::new());
}

#[test]
fn invalid_packets_of_all_protocols_are_dropped() {
    let rules = [
        "-N ISTIO_DROP",
        "-A PREROUTING -m conntrack --ctstate INVALID -j ISTIO_DROP",
        "-A ISTIO_DROP -j DROP",
    ];
    let rendered = render(&["--drop-invalid", "-b", "*"], &[], "");
    assert_eq!(table(&rendered.v4, "mangle"), rules);
    assert_eq!(table(&rendered.v6.unwrap(), "mangle"), rules);
}

#[test]
fn prerouting_in_order() {
    let text = render(&["-m", "TPROXY", "-b", "*", "-c", "net1", "--drop-invalid"], &[], "").v4;
    let rules = [
        "-i net1 -j RETURN",
        "-m conntrack --ctstate INVALID -j ISTIO_DROP",
        "-p tcp -j ISTIO_INBOUND",
        "-p tcp -m mark --mark 1337 -j CONNMARK --save-mark",
    ];
    assert_eq!(chain(&text, "mangle", "PREROUTING"), rules);
}

#[test]
fn output_in_order() {
    let text = render(&["-m", "TPROXY", "-c", "net1", "-u", "3,4", "-g", "1", "-t", "7"], &[], "")
        .v6
        .unwrap();
    let rules = [
        "-o net1 -j RETURN",
        "-p tcp -o lo -m mark --mark 7 -j RETURN",
        "! -d ::1/128 -p tcp -o lo -m owner --uid-owner 3 -j MARK --set-mark 1338",
        "! -d ::1/128 -p tcp -o lo -m owner --uid-owner 4 -j MARK --set-mark 1338",
        "! -d ::1/128 -p tcp -o lo -m owner --gid-owner 1 -j MARK --set-mark 1338",
        "-p tcp -m connmark --mark 7 -j CONNMARK --restore-mark",
    ];
    assert_eq!(chain(&text, "mangle", "OUTPUT"), rules);
}

const ESTABLISHED: &str = "-p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT";

#[rstest]
#[case::none("", "", &[])]
#[case::all("*", "", &[ESTABLISHED, "-p tcp -j ISTIO_TPROXY"])]
#[case::all_but(
    "*",
    "22,15090",
    &["-p tcp --dport 22 -j RETURN", "-p tcp --dport 15090 -j RETURN", ESTABLISHED, "-p tcp -j ISTIO_TPROXY"]
)]
#[case::listed("80,443", "80", &[
    "-p tcp --dport 80 -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT",
    "-p tcp --dport 80 -j ISTIO_TPROXY",
    "-p tcp --dport 443 -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT",
    "-p tcp --dport 443 -j ISTIO_TPROXY",
])]
fn inbound_ports(#[case] included: &str, #[case] excluded: &str, #[case] rules: &[&str]) {
    let inserted = [
        "-I ISTIO_INBOUND 1 -p tcp -m mark --mark 1337 -j RETURN",
        "-I ISTIO_INBOUND 2 -p tcp -s 127.0.0.6/32 -i lo -j RETURN",
        "-I ISTIO_INBOUND 3 -p tcp -i lo -m mark ! --mark 1338 -j RETURN",
    ];
    let text = render(&["-m", "TPROXY", "-b", included, "-d", excluded], &[], "").v4;
    assert_eq!(chain(&text, "mangle", "ISTIO_INBOUND"), [rules, &inserted].concat());
}

#[test]
fn delivery_to_the_sidecar() {
    let variables = [("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.1/8")];
    let rendered = render(&["-m", "TPROXY", "-b", "*", "-t", "0x7", "-z", "16006"], &variables, "");
    let tproxy = |loopback| format!("! -d {loopback} -p tcp -j TPROXY --tproxy-mark 7/0xffffffff --on-port 16006");
    assert_eq!(chain(&rendered.v4, "mangle", "ISTIO_TPROXY"), [tproxy("127.0.0.1/8")]);
    assert_eq!(chain(&rendered.v6.unwrap(), "mangle", "ISTIO_TPROXY"), [tproxy("::1/128")]);
    assert_eq!(
        chain(&rendered.v4, "mangle", "ISTIO_DIVERT"),
        ["-j MARK --set-mark 7", "-j ACCEPT"]
    );
}
