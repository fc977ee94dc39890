// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line of `istio-iptables`, as it is written: nothing is looked up or judged here except what Go's flag
//! library judges ([`root.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/cmd/root.go)).
#![expect(clippy::doc_markdown, reason = "clap prints these comments as they stand")]

use std::time::Duration;

use clap::Args;

use super::{LogFlags, go};

/// All flags of `istio-iptables`; a flag given twice counts the second time.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(args_override_self = true, next_help_heading = "Interception (as istio-iptables)")]
pub struct IstioFlags {
    /// Port that outbound connections are redirected to (no variable; default: 15001)
    #[arg(short = 'p', long, value_name = "PORT", allow_hyphen_values = true)]
    pub envoy_port: Option<String>,

    /// Port that inbound connections are redirected to (INBOUND_CAPTURE_PORT; default: 15006)
    #[arg(short = 'z', long, value_name = "PORT", allow_hyphen_values = true)]
    pub inbound_capture_port: Option<String>,

    /// Port of the HBONE tunnel, never redirected (INBOUND_TUNNEL_PORT; default: 15008)
    #[arg(short = 'e', long, value_name = "PORT", allow_hyphen_values = true)]
    pub inbound_tunnel_port: Option<String>,

    /// Users the sidecar runs as (PROXY_UID; default: the user $ENVOY_USER if there is one, else 1337)
    #[arg(short = 'u', long, value_name = "USERS", allow_hyphen_values = true)]
    pub proxy_uid: Option<String>,

    /// Groups the sidecar runs as (PROXY_GID; default: the value of --proxy-uid)
    #[arg(short = 'g', long, value_name = "GROUPS", allow_hyphen_values = true)]
    pub proxy_gid: Option<String>,

    /// How inbound connections are intercepted; anything but TPROXY means REDIRECT (ISTIO_INBOUND_INTERCEPTION_MODE;
    /// default: REDIRECT)
    #[arg(short = 'm', long, value_name = "MODE", allow_hyphen_values = true)]
    pub istio_inbound_interception_mode: Option<String>,

    /// Inbound ports to intercept, or `*` for all (ISTIO_INBOUND_PORTS; default: none)
    #[arg(short = 'b', long, value_name = "PORTS", allow_hyphen_values = true)]
    pub istio_inbound_ports: Option<String>,

    /// Inbound ports to leave alone; only with --istio-inbound-ports=* (ISTIO_LOCAL_EXCLUDE_PORTS; default: none)
    #[arg(short = 'd', long, value_name = "PORTS", allow_hyphen_values = true)]
    pub istio_local_exclude_ports: Option<String>,

    /// Interfaces to leave alone; not in this version (ISTIO_EXCLUDE_INTERFACES; default: none)
    #[arg(short = 'c', long, value_name = "INTERFACES", allow_hyphen_values = true)]
    pub istio_exclude_interfaces: Option<String>,

    /// Destinations to intercept, or `*` for all (ISTIO_SERVICE_CIDR; default: none)
    #[arg(short = 'i', long, value_name = "CIDRS", allow_hyphen_values = true)]
    pub istio_service_cidr: Option<String>,

    /// Destinations to leave alone (ISTIO_SERVICE_EXCLUDE_CIDR; default: none)
    #[arg(short = 'x', long, value_name = "CIDRS", allow_hyphen_values = true)]
    pub istio_service_exclude_cidr: Option<String>,

    /// Outbound ports to intercept whatever the destination (ISTIO_OUTBOUND_PORTS; default: none)
    #[arg(short = 'q', long, value_name = "PORTS", allow_hyphen_values = true)]
    pub istio_outbound_ports: Option<String>,

    /// Outbound ports to leave alone, before every other rule (ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE; default: none)
    #[arg(short = 'o', long, value_name = "PORTS", allow_hyphen_values = true)]
    pub istio_local_outbound_ports_exclude: Option<String>,

    /// Interfaces of virtual machines; not in this version (KUBE_VIRT_INTERFACES; default: none)
    #[arg(short = 'k', long, value_name = "INTERFACES", allow_hyphen_values = true)]
    pub kube_virt_interfaces: Option<String>,

    /// Packet mark for TPROXY; no meaning without it (ISTIO_INBOUND_TPROXY_MARK; default: 1337)
    #[arg(short = 't', long, value_name = "MARK", allow_hyphen_values = true)]
    pub istio_inbound_tproxy_mark: Option<String>,

    /// Routing table for TPROXY; no meaning without it (ISTIO_INBOUND_TPROXY_ROUTE_TABLE; default: 133)
    #[arg(short = 'r', long, value_name = "TABLE", allow_hyphen_values = true)]
    pub istio_inbound_tproxy_route_table: Option<String>,

    /// Change nothing (DRY_RUN; default: false)
    #[arg(short = 'n', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub dry_run: Option<bool>,

    /// Destination port of the validation probe (IPTABLES_PROBE_PORT; default: 15002)
    #[arg(long, value_name = "PORT", allow_hyphen_values = true, value_parser = port_number)]
    pub iptables_probe_port: Option<u16>,

    /// How long the validation may take (PROBE_TIMEOUT; default: 5s)
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration)]
    pub probe_timeout: Option<Duration>,

    /// Apply nothing, only validate (SKIP_RULE_APPLY; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub skip_rule_apply: Option<bool>,

    /// Check that connections are redirected (RUN_VALIDATION; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub run_validation: Option<bool>,

    /// Send DNS queries to the agent, on port 15053 (REDIRECT_DNS, ISTIO_META_DNS_CAPTURE; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub redirect_dns: Option<bool>,

    /// Intercept DNS to all servers; no meaning without --redirect-dns (CAPTURE_ALL_DNS; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub capture_all_dns: Option<bool>,

    /// Drop packets out of the window; there are none here (DROP_INVALID, INVALID_DROP; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub drop_invalid: Option<bool>,

    /// Intercept IPv6 as soon as any address of the pod is one, not only when the first is (DUAL_STACK,
    /// ISTIO_DUAL_STACK; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub dual_stack: Option<bool>,

    /// Accepted; as in Istio it does not choose the namespace (NETWORK_NAMESPACE; default: none)
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    pub network_namespace: Option<String>,

    /// Accepted; no file of the host is in the way here (CNI_MODE; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub cni_mode: Option<bool>,

    /// Replace a different configuration that is in force (RECONCILE; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub reconcile: Option<bool>,

    /// Remove the interception instead of applying it (CLEANUP_ONLY; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub cleanup_only: Option<bool>,

    /// Apply even if nothing would change (FORCE_APPLY; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub force_apply: Option<bool>,

    /// Accepted; no rules are written (NATIVE_NFTABLES; default: false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub native_nftables: Option<bool>,

    /// Accepted: legacy, nft or nothing; no iptables is run (FORCE_IPTABLES_BINARY; default: none)
    #[arg(long, value_name = "BINARY", allow_hyphen_values = true)]
    pub force_iptables_binary: Option<String>,

    #[command(flatten)]
    pub log: LogFlags,
}

pub(super) fn switch(text: &str) -> Result<bool, &'static str> {
    go::parse_bool(text).ok_or("write true or false, after an equals sign")
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    go::parse_duration(text).ok_or("write a number and a unit, such as 5s, 1m30s or 500ms")
}

fn port_number(text: &str) -> Result<u16, &'static str> {
    go::parse_decimal(text).ok_or("write a number from 0 to 65535")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};
    use rstest::rstest;

    use super::{super::settings, *};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        flags: IstioFlags,
    }

    fn parse(args: &[&str]) -> IstioFlags {
        Cli::try_parse_from([&["istio-iptables"], args].concat()).unwrap().flags
    }

    #[test]
    fn the_command_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_is_a_flag_whose_help_names_its_variables() {
        let command = Cli::command();
        let inherited = |name: &str| name.contains('_') || name == "vklog" || name == "help";
        let flags: Vec<_> = command
            .get_arguments()
            .filter(|arg| !arg.get_long().is_none_or(inherited))
            .collect();
        assert_eq!(flags.len(), settings::WITH_FLAG.len());
        for (flag, setting) in flags.iter().zip(settings::WITH_FLAG) {
            assert_eq!(flag.get_long(), setting.flag);
            let help = flag.get_help().unwrap().to_string();
            assert!(setting.variables.iter().all(|variable| help.contains(variable)), "{help}");
        }
    }

    #[rstest]
    #[case::apart(&["-p", "15001"])]
    #[case::equals(&["-p=15001"])]
    #[case::joined(&["-p15001"])]
    #[case::long(&["--envoy-port=15001"])]
    #[case::long_apart(&["--envoy-port", "15001"])]
    #[case::last_wins(&["-p", "1", "--envoy-port=2", "-p", "15001"])]
    #[case::after_a_joined_switch(&["-np", "15001"])]
    fn text_flags(#[case] args: &[&str]) {
        assert_eq!(parse(args).envoy_port.as_deref(), Some("15001"));
    }

    #[test]
    fn a_value_may_be_empty_or_look_like_a_flag() {
        let flags = parse(&["-x", "", "-b", "*", "-d=", "-u", "-5", "--istio-service-cidr="]);
        let texts = [
            flags.istio_service_exclude_cidr,
            flags.istio_inbound_ports,
            flags.istio_local_exclude_ports,
            flags.proxy_uid,
        ];
        assert_eq!(texts, ["", "*", "", "-5"].map(|text| Some(text.to_owned())));
        assert_eq!(flags.istio_service_cidr.as_deref(), Some(""));
    }

    #[rstest]
    #[case::absent(&[], None)]
    #[case::alone(&["--dry-run"], Some(true))]
    #[case::short(&["-n"], Some(true))]
    #[case::equals_true(&["--dry-run=T"], Some(true))]
    #[case::equals_false(&["--dry-run=False"], Some(false))]
    #[case::short_equals(&["-n=0"], Some(false))]
    #[case::last_wins(&["--dry-run", "--dry-run=false"], Some(false))]
    #[case::last_wins_alone(&["--dry-run=false", "-n"], Some(true))]
    fn switches(#[case] args: &[&str], #[case] value: Option<bool>) {
        assert_eq!(parse(args).dry_run, value);
    }

    #[test]
    fn flags_of_pilot_agent_are_accepted() {
        let flags = parse(&[
            "--log_output_level=default:debug",
            "--log_as_json",
            "--vklog",
            "6",
            "--log_target=stderr",
            "--log_caller=",
        ]);
        assert_eq!(flags.log.output_level.as_deref(), Some("default:debug"));
        assert_eq!(flags.log.as_json, Some(true));
    }

    #[test]
    fn durations_and_numbers_are_read() {
        let flags = parse(&["--probe-timeout=1m30s", "--iptables-probe-port", "15002"]);
        assert_eq!(
            (flags.probe_timeout, flags.iptables_probe_port),
            (Some(Duration::from_secs(90)), Some(15_002))
        );
    }

    #[rstest]
    #[case::bool("--dry-run=maybe", "maybe")]
    #[case::duration("--probe-timeout=5", "5")]
    #[case::number("--iptables-probe-port=70000", "70000")]
    fn bad_values_are_errors_that_name_flag_and_value(#[case] arg: &str, #[case] value: &str) {
        let message = Cli::try_parse_from(["istio-iptables", arg]).unwrap_err().to_string();
        let flag = arg.split('=').next().unwrap();
        assert!(message.contains(flag) && message.contains(&format!("'{value}'")), "{message}");
    }

    #[rstest]
    #[case::separate_value_of_a_switch(&["--dry-run", "false"])]
    #[case::unknown(&["--no-such-flag"])]
    fn errors(#[case] args: &[&str]) {
        Cli::try_parse_from([&["istio-iptables"], args].concat()).unwrap_err();
    }
}
