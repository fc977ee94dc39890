// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that must not start: which values are refused, and that no fault hides another.

use rstest::rstest;

use super::*;
use crate::{Setting, kubernetes::Fault};

const REROUTED: &str = "istio.io/reroute-virtual-interfaces";
const KUBEVIRT: &str = "traffic.sidecar.istio.io/kubevirtInterfaces";

#[rstest]
#[case::mode(MODE, "redirect")]
#[case::empty_mode(MODE, "")]
#[case::mode_none_in_lower_case(MODE, "none")]
#[case::included_ranges("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.1")]
#[case::blank_in_ranges("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8, 10.1.0.0/16")]
#[case::excluded_ranges("traffic.sidecar.istio.io/excludeOutboundIPRanges", "*")]
#[case::empty_range("traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.0.0.0/8,")]
#[case::included_inbound("traffic.sidecar.istio.io/includeInboundPorts", "http")]
#[case::excluded_inbound("traffic.sidecar.istio.io/excludeInboundPorts", "65536")]
#[case::included_outbound("traffic.sidecar.istio.io/includeOutboundPorts", "80:90")]
#[case::excluded_outbound("traffic.sidecar.istio.io/excludeOutboundPorts", "80,,90")]
#[case::excluded_interfaces("traffic.sidecar.istio.io/excludeInterfaces", "eth0\n-j ACCEPT")]
#[case::rerouted(REROUTED, "net1 net2")]
#[case::kubevirt(KUBEVIRT, "1net")]
#[case::acceleration("interceptor.dev/accelerate", "maybe")]
#[case::budget("interceptor.dev/accelerate-budget", "1M")]
fn a_bad_value_is_named_with_its_annotation(#[case] annotation: &str, #[case] value: &str) {
    let message = refused(&annotated(&[(annotation, value)]));
    assert!(
        message.starts_with(&format!("{annotation}: `{value}` is not a value for it; write ")),
        "{message}"
    );
}

#[test]
fn every_annotation_of_a_setting_is_judged() {
    for annotation in Setting::ALL.iter().flat_map(|setting| setting.annotations()) {
        let message = refused(&annotated(&[(annotation, "no such value")]));
        assert!(message.starts_with(&format!("{annotation}: `no such value` ")), "{message}");
    }
}

#[rstest]
#[case::negative_user("runAsUser", -1)]
#[case::largest_user("runAsUser", i64::from(u32::MAX))]
#[case::group_of_many_bits("runAsGroup", 1 << 32)]
fn an_id_that_nobody_can_have_is_refused(#[case] field: &str, #[case] id: i64) {
    let mut pod = injected();
    sidecar(&mut pod)["securityContext"] = json!({ field: id });
    let message = refused(&pod);
    assert!(
        message.starts_with(&format!("securityContext.{field} of istio-proxy: `{id}` is not an ID; write ")),
        "{message}"
    );
}

/// Packets of a virtual machine belong to no socket of the pod.
#[rstest]
#[case::rerouted(REROUTED)]
#[case::kubevirt(KUBEVIRT)]
fn interfaces_of_virtual_machines_are_refused(#[case] annotation: &str) {
    let message = refused(&annotated(&[(annotation, "net1, net2")]));
    assert!(message.starts_with(&format!("{annotation}: ")), "{message}");
    assert!(
        message.contains("`net1,net2` asks for interception of virtual machines"),
        "{message}"
    );
}

#[test]
fn the_deprecated_annotation_counts_only_without_its_successor() {
    let pod = annotated(&[(REROUTED, ""), (KUBEVIRT, "net1")]);
    assert_eq!(intercepted(&pod), intercepted(&injected()));
}

#[test]
fn one_error_has_every_fault() {
    let mut pod = annotated(&[
        ("traffic.sidecar.istio.io/includeInboundPorts", "bad"),
        ("interceptor.dev/accelerate-budget", "0"),
        (KUBEVIRT, "net1"),
    ]);
    sidecar(&mut pod)["securityContext"] = json!({"runAsUser": -1, "runAsGroup": -2});
    let faults = decided(&pod).unwrap_err().faults;
    let places: Vec<&str> = faults
        .iter()
        .map(|fault| match fault {
            Fault::Annotation(fault) => fault.annotation,
            Fault::Refused { annotation, .. } => annotation,
            Fault::Id { field, .. } => field,
            Fault::Setting(error) => panic!("{error}"),
        })
        .collect();
    assert_eq!(
        places,
        [
            "runAsUser",
            "runAsGroup",
            "traffic.sidecar.istio.io/includeInboundPorts",
            "interceptor.dev/accelerate-budget",
            KUBEVIRT,
        ]
    );
}

#[test]
fn a_bad_successor_does_not_bring_the_deprecated_annotation_back() {
    let faults = decided(&annotated(&[(REROUTED, "a b"), (KUBEVIRT, "net1")]))
        .unwrap_err()
        .faults;
    let [Fault::Annotation(fault)] = faults.as_slice() else {
        panic!("{faults:?}")
    };
    assert_eq!(fault.annotation, REROUTED);
}
