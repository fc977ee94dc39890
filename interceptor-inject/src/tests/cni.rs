// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods whose redirection the CNI plugin sets up. The plugin's decision over each of them is that of the arguments.

use rstest::rstest;
use serde_json::{Value, json};

use super::{IMAGE, args, changed, options, pod_with};
use crate::{DataPath, Outcome, Reason, Rewrite, Undo, Verdict};

const ARGS: &str = "/spec/initContainers/2/args";

/// A pod that the plugin knows: with a sidecar, and the mark of injection. The sidecar is an ordinary container.
fn injected(changes: &[(&str, Value)]) -> Value {
    let init = super::istio_init();
    let sidecar = json!({
        "name": "istio-proxy",
        "args": ["proxy", "sidecar"],
        "securityContext": { "runAsUser": 1337, "runAsGroup": 1337 },
    });
    let mut all = vec![
        ("/spec/initContainers", json!([{ "name": "one" }, { "name": "two" }, init])),
        ("/spec/containers", json!([{ "name": "web" }, sidecar])),
        ("/metadata/annotations", json!({ "sidecar.istio.io/status": "{}" })),
    ];
    all.extend(changes.iter().cloned());
    pod_with(&all)
}

fn to_cni(pod: &Value) -> Outcome {
    Rewrite { data_path: DataPath::Cni, ..options() }.apply(pod).unwrap()
}

fn changed_to_cni(pod: &Value) -> Value {
    let outcome = to_cni(pod);
    assert_eq!(outcome.workloads[0].verdict, Verdict::Changed { warnings: vec![] });
    outcome.manifest
}

/// The annotations, except the one that keeps what was replaced.
fn annotations(pod: &Value) -> Value {
    let mut annotations = pod["metadata"]["annotations"].clone();
    annotations
        .as_object_mut()
        .unwrap()
        .remove("interceptor.dev/istio-init")
        .unwrap();
    annotations
}

fn not_by_cni(pod: &Value) -> String {
    match to_cni(pod).workloads.remove(0).verdict {
        Verdict::LeftAlone(Reason::NotByCni { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_container_only_checks_and_comes_first() {
    let new = changed_to_cni(&injected(&[]));
    let names: Vec<_> = new["spec"]["initContainers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["istio-validation", "one", "two"]);
    let mut arguments = args();
    let list = arguments.as_array_mut().unwrap();
    list.extend([json!("--run-validation"), json!("--skip-rule-apply")]);
    let container = &new["spec"]["initContainers"][0];
    assert_eq!((&container["args"], &container["image"]), (&arguments, &json!(IMAGE)));
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsGroup": 1337,
            "runAsNonRoot": true,
            "runAsUser": 1337,
        })
    );
    assert_eq!(new["spec"]["volumes"], injected(&[])["spec"]["volumes"]);
}

#[test]
fn annotations_say_what_the_plugin_would_not_do_anyway() {
    // Without an annotation, the plugin leaves the outbound port 15020 alone, and the arguments do not.
    let new = changed_to_cni(&injected(&[]));
    let expected = json!({ "sidecar.istio.io/status": "{}", "traffic.sidecar.istio.io/excludeOutboundPorts": "" });
    assert_eq!(annotations(&new), expected);

    let arguments = json!([
        "istio-iptables",
        "-u",
        "1337",
        "-m",
        "TPROXY",
        "-i",
        "10.0.0.0/8",
        "-x",
        "10.1.0.0/16",
        "-b",
        "80,81",
        "-q",
        "443",
        "-o",
        "15020",
        "-c",
        "eth1"
    ]);
    let new = changed_to_cni(&injected(&[(ARGS, arguments)]));
    let expected = json!({
        "sidecar.istio.io/status": "{}",
        "sidecar.istio.io/interceptionMode": "TPROXY",
        "traffic.sidecar.istio.io/includeOutboundIPRanges": "10.0.0.0/8",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.1.0.0/16",
        "traffic.sidecar.istio.io/includeInboundPorts": "80,81",
        "traffic.sidecar.istio.io/includeOutboundPorts": "443",
        "traffic.sidecar.istio.io/excludeInterfaces": "eth1",
    });
    assert_eq!(annotations(&new), expected);
}

#[rstest]
#[case::two_users(&[(ARGS, json!(["istio-iptables", "-u", "1337,1338"]))], "several users")]
#[case::another_user(&[(ARGS, json!(["istio-iptables", "-u", "1234"]))], "PROXY_GID is \"1234\" there")]
#[case::owner_groups(
    &[("/spec/initContainers/2/env", json!([{ "name": "ISTIO_OUTBOUND_OWNER_GROUPS", "value": "7" }]))],
    "OUTBOUND_OWNER_GROUPS_INCLUDE is \"7\" there, and \"*\" for the plugin"
)]
#[case::annotation_of_the_user(
    &[("/metadata/annotations/traffic.sidecar.istio.io~1excludeOutboundIPRanges", json!("10.0.0.0/8"))],
    "OUTBOUND_IP_RANGES_EXCLUDE is \"\" there, and \"10.0.0.0/8\" for the plugin"
)]
#[case::no_sidecar(&[("/spec/containers", json!([]))], "the pod has no container istio-proxy")]
#[case::not_injected(&[("/metadata/annotations", json!({}))], "no sidecar was injected")]
#[case::injection_off(&[("/metadata/labels/sidecar.istio.io~1inject", json!("false"))], "is false")]
fn a_pod_for_which_the_plugin_would_do_something_else_is_left_alone(
    #[case] changes: &[(&str, Value)],
    #[case] expected: &str,
) {
    let what = not_by_cni(&injected(changes));
    assert!(what.contains(expected), "{what}");
}

#[test]
fn ports_that_istios_plugin_would_not_take_get_a_warning() {
    let arguments = json!(["istio-iptables", "-p", "16001", "-b", "80", "-o", "15020"]);
    let outcome = to_cni(&injected(&[(ARGS, arguments)]));
    match &outcome.workloads[0].verdict {
        Verdict::Changed { warnings } => assert!(warnings[0].contains("Istio's CNI plugin would take 15001")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pod_that_was_rewritten_with_an_init_container_loses_its_rights() {
    let done = changed(&injected(&[]));
    assert_eq!(changed_to_cni(&done), changed_to_cni(&injected(&[])));
}

#[test]
fn the_second_time_there_is_nothing_to_do() {
    let done = changed_to_cni(&injected(&[]));
    let again = to_cni(&done);
    assert_eq!(again.manifest, done);
    assert_eq!(again.workloads[0].verdict, Verdict::LeftAlone(Reason::Cni));
}

#[test]
fn going_back_restores_the_pod_that_istio_made() {
    let own = (
        "/metadata/annotations/traffic.sidecar.istio.io~1excludeOutboundPorts",
        json!(""),
    );
    for original in [
        injected(&[]),
        injected(&[(
            ARGS,
            json!(["istio-iptables", "-i", "10.0.0.0/8", "-b", "80,81", "-q", "443", "-o", "15020"]),
        )]),
        injected(&[("/spec/initContainers/2/command", json!(["pilot-agent"]))]),
        injected(&[own]),
    ] {
        let undone = |pod: &Value| Undo::default().apply(pod).unwrap().manifest;
        assert_eq!(undone(&changed_to_cni(&original)), original);
        // By way of an init container.
        let between = changed(&original);
        assert_eq!(undone(&changed_to_cni(&between)), original);
    }
}

#[test]
fn the_image_to_go_back_to_can_be_chosen() {
    let undo = Undo { init_image: Some("istio/proxyv2:2".into()), ..Undo::default() };
    let new = undo.apply(&changed_to_cni(&injected(&[]))).unwrap().manifest;
    assert_eq!(new, injected(&[("/spec/initContainers/2/image", json!("istio/proxyv2:2"))]));
}

#[test]
fn a_container_that_somebody_has_changed_since_is_not_taken_back() {
    let mut other = changed_to_cni(&injected(&[]));
    super::set(&mut other, "/spec/initContainers/0/image", json!("istio/proxyv2:2"));
    let outcome = Undo::default().apply(&other).unwrap();
    assert_eq!(outcome.workloads[0].verdict, Verdict::LeftAlone(Reason::NotOurs));
    assert_eq!(outcome.manifest, other);
}
