// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From flags and environment to a configuration, or a refusal that says what to do.

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::{IptablesBinary, NumberRange, ProxyConfig, Selection};

/// The value under Istio's name for it.
fn printed(config: &IstioConfig, name: &str) -> String {
    match &serde_json::to_value(config).unwrap()[name] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[rstest]
#[case::flag(&["-b", "80"], &[("ISTIO_INBOUND_PORTS", "81")], "INBOUND_PORTS_INCLUDE", "80")]
#[case::empty_flag(&["-b", ""], &[("ISTIO_INBOUND_PORTS", "81")], "INBOUND_PORTS_INCLUDE", "")]
#[case::variable(&[], &[("ISTIO_INBOUND_PORTS", "81,82:83,")], "INBOUND_PORTS_INCLUDE", "81,82:83")]
#[case::star(&[], &[("ISTIO_INBOUND_PORTS", "*")], "INBOUND_PORTS_INCLUDE", "*")]
#[case::default(&[], &[], "INBOUND_PORTS_INCLUDE", "")]
#[case::the_envoy_port_has_no_variable(&[], &[("ENVOY_PORT", "1")], "PROXY_PORT", "15001")]
#[case::first_variable(&[], &[("DROP_INVALID", "true")], "DROP_INVALID", "true")]
#[case::additional_variable_wins(&[], &[("DROP_INVALID", "true"), ("INVALID_DROP", "false")], "DROP_INVALID", "false")]
#[case::flag_beats_the_additional_variable(&["--drop-invalid"], &[("INVALID_DROP", "false")], "DROP_INVALID", "true")]
#[case::groups_default_to_all(&[], &[], "OUTBOUND_OWNER_GROUPS_INCLUDE", "*")]
#[case::groups_set_to_nothing(&[], &[("ISTIO_OUTBOUND_OWNER_GROUPS", "")], "OUTBOUND_OWNER_GROUPS_INCLUDE", "")]
#[case::any_other_mode_is_redirect(&["-m", "tproxy"], &[], "INBOUND_INTERCEPTION_MODE", "REDIRECT")]
#[case::timeout(&["--probe-timeout=1m30s"], &[("PROBE_TIMEOUT", "1s")], "PROBE_TIMEOUT", "90s")]
#[case::timeout_variable(&[], &[("PROBE_TIMEOUT", "500ms")], "PROBE_TIMEOUT", "500ms")]
#[case::tunnel_port_by_name(&["-e", "https"], &[], "PROXY_TUNNEL_PORT", "443")]
#[case::ranges(&["-i", "10.1.2.3/8,::1/128,"], &[], "OUTBOUND_IP_RANGES_INCLUDE", "10.1.2.3/8,::1/128")]
#[case::mark_in_hexadecimal(&["-t", "0x539"], &[], "INBOUND_TPROXY_MARK", "1337")]
fn the_flag_comes_before_the_environment_before_the_default(
    #[case] args: &[&str],
    #[case] variables: &[(&str, &str)],
    #[case] name: &str,
    #[case] value: &str,
) {
    assert_eq!(printed(&resolve(args, variables).unwrap().0, name), value);
}

#[test]
fn nothing_given_is_istios_default() {
    let (config, warnings) = resolve(&[], &[]).unwrap();
    let IstioConfig { proxy, inbound, outbound, tproxy, run, .. } = config;
    let ProxyConfig { envoy_port, inbound_capture_port, inbound_tunnel_port, .. } = proxy;
    assert_eq!(
        (envoy_port, inbound_capture_port, inbound_tunnel_port, run.probe_port),
        (15_001, 15_006, 15_008, 15_002)
    );
    assert_eq!(run.probe_timeout, Duration::from_secs(5));
    assert_eq!((tproxy.mark, tproxy.route_table), (1337, 133));
    assert_eq!(
        (&inbound.ports, outbound.ranges.listed()),
        (&Selection::Listed(Vec::new()), &[][..])
    );
    assert_eq!(outbound.loopback_range.to_string(), "127.0.0.1/32");
    assert!(!run.dry_run && run.dry_run_file.is_none());
    assert_eq!(warnings, Vec::<String>::new());
}

#[rstest]
#[case::given(&["-u", "3,4", "-g", "1,2"], &[], "3,4", "1,2")]
#[case::groups_default_to_the_users(&["-u", "3,4:9"], &[], "3,4:9", "3,4:9")]
#[case::no_such_account(&[], &[], "1337", "1337")]
#[case::envoy_user(&[], &[("ENVOY_USER", "envoy")], "4242", "4242")]
#[case::empty_counts_as_not_given(&["-u", "", "-g", ""], &[("PROXY_UID", "7")], "1337", "1337")]
#[case::the_same_name_is_another_number_as_a_group(&["-u", "envoy"], &[], "4242", "4243")]
fn the_sidecars_accounts(
    #[case] args: &[&str],
    #[case] variables: &[(&str, &str)],
    #[case] users: &str,
    #[case] groups: &str,
) {
    let (config, _warnings) = resolve(args, variables).unwrap();
    assert_eq!(
        (printed(&config, "PROXY_UID"), printed(&config, "PROXY_GID")),
        (users.to_owned(), groups.to_owned())
    );
}

#[rstest]
#[case::numbers("80,443", &[(80, 80), (443, 443)])]
#[case::range("80:90", &[(80, 90)])]
#[case::open_end("60000:", &[(60_000, 65_535)])]
#[case::open_start(":1023", &[(0, 1023)])]
#[case::names("http,https", &[(80, 80), (443, 443)])]
#[case::range_of_names("http:https", &[(80, 443)])]
#[case::name_with_a_dash("http-alt", &[(8080, 8080)])]
#[case::blanks_around_an_item("80, 443", &[(80, 80), (443, 443)])]
#[case::empty_items(",80,,", &[(80, 80)])]
fn ports_as_iptables_takes_them(#[case] list: &str, #[case] ranges: &[(u32, u32)]) {
    let ranges: Vec<_> = ranges.iter().map(|&(first, last)| NumberRange { first, last }).collect();
    assert_eq!(resolve(&["-o", list], &[]).unwrap().0.outbound.ports_excluded, ranges);
}

#[rstest]
#[case::word(&["-b", "abc"], "--istio-inbound-ports (ISTIO_INBOUND_PORTS): `abc` is not a port; write")]
#[case::too_high(&["-o", "80,70000"], "`70000` is not a port")]
#[case::range_with_a_dash(
    &["-q", "80-90"],
    "`80-90` is not a port; write a number from 0 to 65535, a range such as 8000:8080"
)]
#[case::range_too_high(&["-q", "80:70000"], "`80:70000` is not a port")]
#[case::backward_range(
    &["-d", "90:80"],
    "--istio-local-exclude-ports (ISTIO_LOCAL_EXCLUDE_PORTS): the range `90:80` runs backwards; write 80:90"
)]
#[case::octal(&["-b", "0080"], "`0080` is not a port")]
#[case::negative(&["-b", "-5"], "`-5` is not a port")]
#[case::only_blanks(&["-b", "80, ,90"], "` ` is not a port")]
#[case::star_in_a_list(&["-b", "*,80"], "`*` is an item of the list `*,80`; write `*` alone")]
#[case::star_with_a_blank(&["-i", " *"], "`*` is an item")]
#[case::star_excluded_inbound(&["-d", "*"], "`*` is not a port")]
#[case::two_ports(&["-p", "15001,15002"], "--envoy-port: `15001,15002` is not one port")]
#[case::port_zero(
    &["-z", "0"],
    "--inbound-capture-port (INBOUND_CAPTURE_PORT): `0` is not one port; write a number from 1"
)]
#[case::empty_port(&["-p", ""], "--envoy-port: `` is not one port")]
#[case::unknown_user(&["-u", "nobody-here"], "--proxy-uid (PROXY_UID): `nobody-here` is not a user; write")]
#[case::no_user(&["-u", ","], "`,` names no user")]
#[case::user_too_high(&["-u", "4294967295"], "`4294967295` is not a user")]
#[case::backward_users(&["-u", "2000-1000"], "the range `2000-1000` runs backwards; write 1000:2000")]
#[case::unknown_group(&["-g", "nogroup-here"], "--proxy-gid (PROXY_GID): `nogroup-here` is not a group; write")]
#[case::user_without_a_group(&["-u", "root"], "--proxy-uid (PROXY_UID): `root` is not a group; write")]
#[case::bare_address(
    &["-i", "10.1.2.3"],
    "--istio-service-cidr (ISTIO_SERVICE_CIDR): `10.1.2.3` has no prefix length; write 10.1.2.3/32"
)]
#[case::not_a_range(
    &["-x", "10.0.0.0/8,bad"],
    "--istio-service-exclude-cidr (ISTIO_SERVICE_EXCLUDE_CIDR): `bad` is not an IP range"
)]
#[case::blank_before_a_range(&["-i", "10.0.0.0/8, 10.1.0.0/16"], "` 10.1.0.0/16` is not an IP range; write")]
#[case::everything_excluded(
    &["-x", "*"],
    "--istio-service-exclude-cidr (ISTIO_SERVICE_EXCLUDE_CIDR): `*` cannot be excluded; to"
)]
#[case::interface(
    &["-c", "eth0,a-name-of-16-byt"],
    "--istio-exclude-interfaces (ISTIO_EXCLUDE_INTERFACES): `a-name-of-16-byt` is too long"
)]
#[case::binary(
    &["--force-iptables-binary", "x"],
    "--force-iptables-binary (FORCE_IPTABLES_BINARY): `x` is not a kind of iptables; write legacy or nft"
)]
#[case::mark(&["-t", "red"], "--istio-inbound-tproxy-mark (ISTIO_INBOUND_TPROXY_MARK): `red` is not an integer")]
#[case::table(
    &["-r", "local"],
    "--istio-inbound-tproxy-route-table (ISTIO_INBOUND_TPROXY_ROUTE_TABLE): `local` is not an integer"
)]
fn refusals_name_the_setting_the_value_and_the_way_out(#[case] args: &[&str], #[case] message: &str) {
    let error = resolve(args, &[]).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
    assert!(!error.ends_with('.'), "{error}");
}

#[rstest]
#[case::not_a_range("127.0.0.1", "failed to parse CIDR `127.0.0.1`")]
#[case::mask_too_long("172.16.0.1/40", "failed to parse CIDR `172.16.0.1/40`")]
#[case::empty("", "failed to parse CIDR ``")]
#[case::not_loopback(
    "192.168.1.1/24",
    "expected valid IPv4 loopback address in CIDR 192.168.1.1/24; found 192.168.1.1"
)]
#[case::not_ipv4("::1/128", "expected valid IPv4 loopback address in CIDR ::1/128; found ::1")]
#[case::not_loopback_and_too_wide(
    "10.0.0.1/7",
    "expected valid IPv4 loopback address in CIDR 10.0.0.1/7; found 10.0.0.1"
)]
#[case::too_wide("127.0.0.1/7", "expected CIDR 127.0.0.1/7 to have mask in range [8, 32]; found 7")]
fn the_loopback_range_is_checked_in_istios_words(#[case] value: &str, #[case] message: &str) {
    let error = resolve(&[], &[("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", value)])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR: {message}")),
        "{error}"
    );
}

#[rstest]
#[case::included("ISTIO_OUTBOUND_OWNER_GROUPS", 64, true)]
#[case::too_many_included("ISTIO_OUTBOUND_OWNER_GROUPS", 65, false)]
#[case::any_number_excluded("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", 100, true)]
fn owner_groups_are_limited(#[case] variable: &str, #[case] count: u32, #[case] accepted: bool) {
    let groups = (0..count).map(|group| group.to_string()).collect::<Vec<_>>().join(",");
    let result = resolve(&[], &[(variable, &groups)]);
    assert_eq!(result.is_ok(), accepted);
    if let Err(error) = result {
        assert!(
            error
                .to_string()
                .contains("should be redirected to Envoy cannot exceed 64, got 65"),
            "{error}"
        );
    }
}

#[rstest]
#[case::switch("DRY_RUN", "yes", "DRY_RUN", "false")]
#[case::switch_set_to_nothing("FORCE_APPLY", "", "FORCE_APPLY", "false")]
#[case::additional_variable("INVALID_DROP", "on", "DROP_INVALID", "false")]
#[case::duration("PROBE_TIMEOUT", "5", "PROBE_TIMEOUT", "0ns")]
#[case::number("IPTABLES_PROBE_PORT", "abc", "IPTABLES_PROBE_PORT", "0")]
#[case::number_too_large("IPTABLES_PROBE_PORT", "70000", "IPTABLES_PROBE_PORT", "65535")]
fn a_bad_value_in_the_environment_is_taken_as_istio_takes_it_and_named(
    #[case] variable: &str,
    #[case] value: &str,
    #[case] name: &str,
    #[case] taken_for: &str,
) {
    let (config, warnings) = resolve(&[], &[(variable, value)]).unwrap();
    assert_eq!(printed(&config, name), taken_for);
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(
        warning.contains(variable) && warning.contains(&format!("`{value}`")),
        "{warning}"
    );
}

#[rstest]
#[case::virtual_interfaces(&["-k", "net1"], "--kube-virt-interfaces (KUBE_VIRT_INTERFACES): `net1` asks for")]
fn what_this_version_does_not_do_is_refused(#[case] args: &[&str], #[case] message: &str) {
    let error = resolve(args, &[]).unwrap_err().to_string();
    assert!(error.starts_with(message) || error.contains(message), "{error}");
    assert!(
        error.contains("which this version does not have; ") && !error.contains(",,"),
        "{error}"
    );
}

#[rstest]
#[case::everything_is_marked(
    &["-t", "0"],
    "--istio-inbound-tproxy-mark (ISTIO_INBOUND_TPROXY_MARK): 0 does not work under TPROXY: every packet"
)]
#[case::another_mark_of_istio(&["-t", "1338"], "1338 does not work under TPROXY: Istio's rules know the sidecar's")]
#[case::table_of_all(
    &["-r", "254"],
    "--istio-inbound-tproxy-route-table (ISTIO_INBOUND_TPROXY_ROUTE_TABLE): 254 does not work under TPROXY"
)]
#[case::no_table(
    &["-r", "0"],
    "0 does not work under TPROXY: it is one of the tables that all packets are routed by; write another one, such \
     as 133"
)]
fn routing_that_would_keep_other_packets_in_the_pod_is_refused(#[case] args: &[&str], #[case] message: &str) {
    let error = resolve(&[&["-m", "TPROXY"], args].concat(), &[]).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
    assert!(resolve(args, &[]).is_ok(), "REDIRECT has no use for it");
}

#[rstest]
#[case::nftables(&["--native-nftables"], "--native-nftables (NATIVE_NFTABLES): `true` has no effect: no rules")]
#[case::legacy(&["--force-iptables-binary=legacy"], "`legacy` has no effect: no rules")]
#[case::nft(&["--force-iptables-binary=nft"], "`nft` has no effect: no rules")]
#[case::all_dns(
    &["--capture-all-dns"],
    "--capture-all-dns (CAPTURE_ALL_DNS): `true` has no effect: DNS is not captured without --redirect-dns"
)]
#[case::drop_invalid(&["--drop-invalid"], "`true` has no effect: sockets are redirected, not packets")]
#[case::cni(&["--cni-mode"], "--cni-mode (CNI_MODE): `true` has no effect")]
#[case::namespace(
    &["--network-namespace", "/proc/1/ns/net"],
    "`/proc/1/ns/net` has no effect: as in Istio it does not choose"
)]
#[case::inbound_excludes(
    &["-b", "80", "-d", "15090,15021"],
    "`15090,15021` has no effect: inbound ports are excluded only where --istio-inbound-ports is `*`"
)]
fn what_has_nothing_to_act_on_is_accepted_with_a_note(#[case] args: &[&str], #[case] note: &str) {
    let (_config, warnings) = resolve(args, &[]).unwrap();
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.contains(note), "{warning}");
}

#[test]
fn owner_groups_excluded_from_a_list_are_noted() {
    let variables = [("ISTIO_OUTBOUND_OWNER_GROUPS", "java"), ("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "ftp")];
    let (_config, warnings) = resolve(&[], &variables).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[rstest]
#[case::as_injected(INJECTED)]
#[case::operational(
    &["--reconcile", "--force-apply", "--cleanup-only", "--skip-rule-apply", "--run-validation", "--dry-run"]
)]
#[case::nothing_to_exclude(&["-c", "", "-k", ",", "--redirect-dns=false", "--dual-stack=f", "-m", "NONE"])]
fn what_is_supported_is_accepted_without_a_word(#[case] args: &[&str]) {
    assert_eq!(resolve(args, &[]).unwrap().1, Vec::<String>::new());
}

#[test]
fn the_binary_is_kept_for_the_record() {
    assert_eq!(
        resolve(&["--force-iptables-binary=nft"], &[])
            .unwrap()
            .0
            .run
            .force_iptables_binary,
        Some(IptablesBinary::Nft)
    );
}
