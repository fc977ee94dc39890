// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The annotations of a pod: where each arrives, what a pod without them has, which source wins, and which values are
//! refused.

use rstest::rstest;

use super::*;
use crate::AccelerationConfig;

const INCLUDED_RANGES: &str = "traffic.sidecar.istio.io/includeOutboundIPRanges";
const EXCLUDED_RANGES: &str = "traffic.sidecar.istio.io/excludeOutboundIPRanges";
const INCLUDED_INBOUND: &str = "traffic.sidecar.istio.io/includeInboundPorts";
const EXCLUDED_INBOUND: &str = "traffic.sidecar.istio.io/excludeInboundPorts";
const INCLUDED_OUTBOUND: &str = "traffic.sidecar.istio.io/includeOutboundPorts";
const EXCLUDED_OUTBOUND: &str = "traffic.sidecar.istio.io/excludeOutboundPorts";
const EXCLUDED_INTERFACES: &str = "traffic.sidecar.istio.io/excludeInterfaces";
const KUBEVIRT: &str = "traffic.sidecar.istio.io/kubevirtInterfaces";
const REROUTED: &str = "istio.io/reroute-virtual-interfaces";
const MODE: &str = "sidecar.istio.io/interceptionMode";
const ACCELERATE: &str = "interceptor.dev/accelerate";
const BUDGET: &str = "interceptor.dev/accelerate-budget";
const DATA_PATH: &str = "interceptor.dev/data-path";

/// The configuration of a pod with these annotations.
fn annotated(annotations: &[(&str, &str)]) -> Result<IstioConfig, ConfigError> {
    from_sources(&[], &[], Some(annotations), "").map(|(config, _warnings)| config)
}

/// The value under Istio's name for it.
fn printed(config: &IstioConfig, name: &str) -> String {
    serde_json::to_value(config).unwrap()[name].as_str().unwrap().to_owned()
}

#[rstest]
#[case::mode(MODE, "TPROXY", "INBOUND_INTERCEPTION_MODE", "TPROXY")]
#[case::data_path(DATA_PATH, "iptables", "DATA_PATH", "iptables")]
#[case::mode_redirect(MODE, "REDIRECT", "INBOUND_INTERCEPTION_MODE", "REDIRECT")]
#[case::included_ranges(
    INCLUDED_RANGES,
    "10.0.0.0/8,fd00::/8",
    "OUTBOUND_IP_RANGES_INCLUDE",
    "10.0.0.0/8,fd00::/8"
)]
#[case::all_ranges(INCLUDED_RANGES, "*", "OUTBOUND_IP_RANGES_INCLUDE", "*")]
#[case::no_ranges(INCLUDED_RANGES, "", "OUTBOUND_IP_RANGES_INCLUDE", "")]
#[case::excluded_ranges(EXCLUDED_RANGES, "10.96.0.0/16", "OUTBOUND_IP_RANGES_EXCLUDE", "10.96.0.0/16")]
#[case::included_inbound(INCLUDED_INBOUND, "80,443", "INBOUND_PORTS_INCLUDE", "80,443")]
#[case::blanks_around_ports(INCLUDED_INBOUND, " 80 , 443 ", "INBOUND_PORTS_INCLUDE", "80,443")]
#[case::all_inbound(INCLUDED_INBOUND, "*", "INBOUND_PORTS_INCLUDE", "*")]
#[case::no_inbound(INCLUDED_INBOUND, "", "INBOUND_PORTS_INCLUDE", "")]
#[case::own_ports_are_added(EXCLUDED_INBOUND, "4,5", "INBOUND_PORTS_EXCLUDE", "4,5,15020,15021,15090")]
#[case::own_ports_are_added_to_nothing(EXCLUDED_INBOUND, "", "INBOUND_PORTS_EXCLUDE", "15020,15021,15090")]
#[case::each_port_stands_once(EXCLUDED_INBOUND, "15090,7,7,15020", "INBOUND_PORTS_EXCLUDE", "15090,7,15020,15021")]
#[case::included_outbound(INCLUDED_OUTBOUND, "9000,0,65535", "OUTBOUND_PORTS_INCLUDE", "9000,0,65535")]
#[case::excluded_outbound(EXCLUDED_OUTBOUND, "3306", "OUTBOUND_PORTS_EXCLUDE", "3306")]
#[case::no_outbound_is_excluded(EXCLUDED_OUTBOUND, "", "OUTBOUND_PORTS_EXCLUDE", "")]
#[case::excluded_interfaces(EXCLUDED_INTERFACES, "net1, eth0.5", "EXCLUDE_INTERFACES", "net1,eth0.5")]
#[case::longest_interface(EXCLUDED_INTERFACES, "a-name_of.15-by", "EXCLUDE_INTERFACES", "a-name_of.15-by")]
#[case::no_interface(EXCLUDED_INTERFACES, " ", "EXCLUDE_INTERFACES", "")]
#[case::rerouted(REROUTED, "net1", "KUBE_VIRT_INTERFACES", "net1")]
#[case::kubevirt(KUBEVIRT, "net1", "KUBE_VIRT_INTERFACES", "net1")]
fn an_annotation_sets_its_field(
    #[case] annotation: &str,
    #[case] value: &str,
    #[case] name: &str,
    #[case] expected: &str,
) {
    assert_eq!(printed(&annotated(&[(annotation, value)]).unwrap(), name), expected);
}

#[rstest]
#[case::off("false", None)]
#[case::on("true", Some(AccelerationConfig::with_budget(1024 * 1024)))]
#[case::as_go_reads_it("T", Some(AccelerationConfig::with_budget(1024 * 1024)))]
fn acceleration_is_asked_for_by_an_annotation(#[case] value: &str, #[case] expected: Option<AccelerationConfig>) {
    assert_eq!(annotated(&[(ACCELERATE, value)]).unwrap().acceleration, expected);
}

#[test]
fn the_budget_is_set_by_an_annotation() {
    let acceleration = annotated(&[(ACCELERATE, "true"), (BUDGET, "131072")]).unwrap().acceleration;
    assert_eq!(acceleration, Some(AccelerationConfig::with_budget(131_072)));
}

#[test]
fn every_annotation_is_in_these_tables() {
    let known = [
        INCLUDED_RANGES,
        EXCLUDED_RANGES,
        INCLUDED_INBOUND,
        EXCLUDED_INBOUND,
        INCLUDED_OUTBOUND,
        EXCLUDED_OUTBOUND,
        EXCLUDED_INTERFACES,
        KUBEVIRT,
        REROUTED,
        MODE,
        ACCELERATE,
        BUDGET,
        DATA_PATH,
    ];
    for annotation in Setting::ALL.iter().flat_map(|setting| setting.annotations()) {
        assert!(known.contains(annotation), "{annotation}");
    }
}

#[rstest]
#[case::mode("INBOUND_INTERCEPTION_MODE", "REDIRECT")]
#[case::ranges("OUTBOUND_IP_RANGES_INCLUDE", "*")]
#[case::excluded_ranges("OUTBOUND_IP_RANGES_EXCLUDE", "")]
#[case::inbound("INBOUND_PORTS_INCLUDE", "*")]
#[case::excluded_inbound("INBOUND_PORTS_EXCLUDE", "15020,15021,15090")]
#[case::outbound("OUTBOUND_PORTS_INCLUDE", "")]
#[case::excluded_outbound("OUTBOUND_PORTS_EXCLUDE", "15020")]
#[case::excluded_interfaces("EXCLUDE_INTERFACES", "")]
#[case::virtual_machines("KUBE_VIRT_INTERFACES", "")]
#[case::user("PROXY_UID", "1337")]
fn a_pod_without_annotations_has_the_defaults_of_istios_cni_plugin(#[case] name: &str, #[case] expected: &str) {
    let config = annotated(&[]).unwrap();
    assert_eq!(printed(&config, name), expected);
    assert_eq!(config.acceleration, None);
}

#[test]
fn a_pod_without_annotations_is_configured_as_by_these_flags() {
    let flags = ["-i", "*", "-b", "*", "-d", "15020,15021,15090", "-o", "15020"];
    assert_eq!(annotated(&[]).unwrap(), read(&flags, &[], "").unwrap().0);
}

#[test]
fn where_annotations_are_not_read_the_defaults_are_those_of_istio_iptables() {
    let (config, _warnings) = from_sources(&[], &[], None, "").unwrap();
    assert_eq!(printed(&config, "OUTBOUND_IP_RANGES_INCLUDE"), "");
    assert_eq!(printed(&config, "INBOUND_PORTS_EXCLUDE"), "");
}

#[rstest]
#[case::both(&[(REROUTED, "net1"), (KUBEVIRT, "net2")], "net1")]
#[case::set_to_nothing(&[(REROUTED, ""), (KUBEVIRT, "net2")], "")]
#[case::the_other_is_not_judged(&[(REROUTED, "net1"), (KUBEVIRT, "no interface")], "net1")]
fn the_deprecated_annotation_counts_only_without_its_successor(
    #[case] annotations: &[(&str, &str)],
    #[case] expected: &str,
) {
    assert_eq!(printed(&annotated(annotations).unwrap(), "KUBE_VIRT_INTERFACES"), expected);
}

/// Of the four sources, the first of those given wins.
#[rstest]
#[case::flag_over_variable(&["-d", "1"], &[("ISTIO_LOCAL_EXCLUDE_PORTS", "2")], None, "1")]
#[case::flag_over_annotation(&["-d", "1"], &[], Some("3"), "1")]
#[case::empty_flag_over_annotation(&["-d", ""], &[], Some("3"), "")]
#[case::flag_over_both(&["-d", "1"], &[("ISTIO_LOCAL_EXCLUDE_PORTS", "2")], Some("3"), "1")]
#[case::variable_over_annotation(&[], &[("ISTIO_LOCAL_EXCLUDE_PORTS", "2")], Some("3"), "2")]
#[case::empty_variable_over_annotation(&[], &[("ISTIO_LOCAL_EXCLUDE_PORTS", "")], Some("3"), "")]
#[case::annotation_over_default(&[], &[], Some("3"), "3,15020,15021,15090")]
#[case::flag_over_default(&["-d", "1"], &[], None, "1")]
#[case::variable_over_default(&[], &[("ISTIO_LOCAL_EXCLUDE_PORTS", "2")], None, "2")]
#[case::default(&[], &[], None, "15020,15021,15090")]
fn sources_in_order(
    #[case] args: &[&str],
    #[case] variables: &[(&str, &str)],
    #[case] annotation: Option<&str>,
    #[case] expected: &str,
) {
    let annotations: Vec<_> = annotation.map(|value| (EXCLUDED_INBOUND, value)).into_iter().collect();
    let (config, _warnings) = from_sources(args, variables, Some(&annotations), "").unwrap();
    assert_eq!(printed(&config, "INBOUND_PORTS_EXCLUDE"), expected);
}

#[rstest]
#[case::flag_over_annotation(&["--accelerate=false"], &[], false)]
#[case::variable_over_annotation(&[], &[("INTERCEPTOR_ACCELERATE", "false")], false)]
#[case::annotation_over_an_empty_variable(&[], &[("INTERCEPTOR_ACCELERATE", "")], true)]
fn sources_of_acceleration_in_order(#[case] args: &[&str], #[case] variables: &[(&str, &str)], #[case] on: bool) {
    let (config, _warnings) = from_sources(args, variables, Some(&[(ACCELERATE, "true")]), "").unwrap();
    assert_eq!(config.acceleration.is_some(), on);
}

#[rstest]
#[case::mode_of_no_interception(MODE, "NONE", "write REDIRECT or TPROXY")]
#[case::mode_in_lower_case(MODE, "tproxy", "write REDIRECT or TPROXY")]
#[case::empty_mode(MODE, "", "write REDIRECT or TPROXY")]
#[case::word_for_a_range(INCLUDED_RANGES, "bad", "write `*`, or IP ranges")]
#[case::bare_address(INCLUDED_RANGES, "10.0.0.1", "write `*`, or IP ranges")]
#[case::blank_in_ranges(INCLUDED_RANGES, "10.0.0.0/8, 10.1.0.0/16", "without blanks")]
#[case::empty_range(INCLUDED_RANGES, "10.0.0.0/8,", "IP ranges")]
#[case::star_in_ranges(INCLUDED_RANGES, "*,10.0.0.0/8", "IP ranges")]
#[case::everything_excluded(EXCLUDED_RANGES, "*", "write IP ranges")]
#[case::word_for_a_port(INCLUDED_INBOUND, "bad", "write `*`, or port numbers")]
#[case::port_by_name(INCLUDED_INBOUND, "http", "port numbers")]
#[case::range_of_ports(INCLUDED_INBOUND, "80:90", "port numbers")]
#[case::star_in_ports(INCLUDED_INBOUND, "*,80", "port numbers")]
#[case::every_inbound_port_excluded(EXCLUDED_INBOUND, "*", "write port numbers")]
#[case::port_too_high(EXCLUDED_INBOUND, "65536", "port numbers")]
#[case::empty_port(INCLUDED_OUTBOUND, "80,,90", "port numbers")]
#[case::every_port_included(INCLUDED_OUTBOUND, "*", "write port numbers")]
#[case::octal_port(INCLUDED_OUTBOUND, "0080", "port numbers")]
#[case::every_outbound_port_excluded(EXCLUDED_OUTBOUND, "*", "write port numbers")]
#[case::negative_port(EXCLUDED_OUTBOUND, "-1", "port numbers")]
#[case::interface_too_long(EXCLUDED_INTERFACES, "a-name-of-16-byt", "at most 15")]
#[case::interface_by_wildcard(EXCLUDED_INTERFACES, "eth+", "names of interfaces")]
#[case::interface_that_begins_with_a_digit(EXCLUDED_INTERFACES, "1eth", "names of interfaces")]
#[case::empty_interface(EXCLUDED_INTERFACES, "eth0,", "names of interfaces")]
#[case::rerouted_interface(REROUTED, "net1 net2", "names of interfaces")]
#[case::kubevirt_interface(KUBEVIRT, "net1\n-j ACCEPT", "names of interfaces")]
#[case::acceleration(ACCELERATE, "maybe", "write true or false")]
#[case::empty_acceleration(ACCELERATE, "", "write true or false")]
#[case::budget(BUDGET, "1M", "write a number of bytes from 131072")]
#[case::small_budget(BUDGET, "131071", "write a number of bytes from 131072")]
fn a_bad_value_is_refused_and_named(#[case] annotation: &str, #[case] value: &str, #[case] advice: &str) {
    let error = annotated(&[(annotation, value)]).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{annotation}: `{value}` is not a value for it; ")),
        "{error}"
    );
    assert!(error.contains(advice), "{error}");
}

#[test]
fn one_error_names_every_bad_annotation() {
    let annotations = [(INCLUDED_RANGES, "bad"), (EXCLUDED_INBOUND, "80"), (BUDGET, "0")];
    let error = annotated(&annotations).unwrap_err();
    let ConfigError::Annotations { faults } = &error else { panic!("{error}") };
    assert_eq!(
        faults.iter().map(|fault| fault.annotation).collect::<Vec<_>>(),
        [INCLUDED_RANGES, BUDGET]
    );
    assert!(
        error.to_string().contains(&format!(". {BUDGET}: `0` is not a value")),
        "{error}"
    );
}

#[test]
fn a_bad_annotation_is_an_error_even_if_a_flag_overrides_it() {
    let annotations = [(INCLUDED_INBOUND, "bad")];
    from_sources(&["-b", "80"], &[], Some(&annotations), "").unwrap_err();
}
