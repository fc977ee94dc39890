// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which pods are left alone, and why; and what is no manifest.

use rstest::rstest;
use serde_json::{Value, json};

use super::{changed, options, pod, pod_with, reason, rewritten};
use crate::{Reason, Rewrite, Verdict};

const LABEL: &str = "/metadata/labels/interceptor.dev~1rewrite";
const ANNOTATION: &str = "/metadata/annotations/interceptor.dev~1rewrite";
const ARGS: &str = "/spec/initContainers/0/args";

#[rstest]
#[case::not_injected(&[("/spec/initContainers", Value::Null)], Reason::NotInjected)]
#[case::not_intercepted(&[("/spec/initContainers/0/name", json!("other"))], Reason::NotInjected)]
#[case::cni(&[("/spec/initContainers/0/name", json!("istio-validation"))], Reason::Cni)]
#[case::node_network(&[("/spec/hostNetwork", json!(true))], Reason::HostNetwork)]
#[case::user_namespace(&[("/spec/hostUsers", json!(false))], Reason::UserNamespace)]
#[case::windows(&[("/spec/os", json!({ "name": "windows" }))], Reason::Windows)]
#[case::runtime(&[("/spec/runtimeClassName", json!("gvisor"))], Reason::RuntimeClass { class: "gvisor".into() })]
#[case::custom_arguments(&[(ARGS, json!(["my", "custom", "args"]))], Reason::NotIstios)]
#[case::no_arguments(&[(ARGS, Value::Null)], Reason::NotIstios)]
#[case::own_command(
    &[("/spec/initContainers/0/command", json!(["/bin/sh", "-c"]))],
    Reason::Command { command: "/bin/sh".into() }
)]
#[case::tproxy(&[(ARGS, json!(["istio-iptables", "-m", "TPROXY"]))], Reason::Tproxy)]
#[case::tproxy_by_variable(
    &[("/spec/initContainers/0/env", json!([{ "name": "ISTIO_INBOUND_INTERCEPTION_MODE", "value": "TPROXY" }])),
      (ARGS, json!(["istio-iptables"]))],
    Reason::Tproxy
)]
#[case::label(&[(LABEL, json!("false"))], Reason::OptedOut { by: "label" })]
#[case::annotation(&[(ANNOTATION, json!("false"))], Reason::OptedOut { by: "annotation" })]
#[case::label_wins(&[(LABEL, json!("false")), (ANNOTATION, json!("true"))], Reason::OptedOut { by: "label" })]
fn a_pod_is_left_alone(#[case] changes: &[(&str, Value)], #[case] expected: Reason) {
    assert_eq!(reason(&pod_with(changes)), expected);
}

#[test]
fn a_label_that_says_true_wins_over_an_annotation_that_says_false() {
    let pod = pod_with(&[(LABEL, json!("true")), (ANNOTATION, json!("false"))]);
    assert_eq!(changed(&pod).pointer(ANNOTATION), Some(&json!("false")));
}

#[test]
fn an_opt_out_without_a_meaning_gets_a_warning() {
    let outcome = rewritten(&pod_with(&[(LABEL, json!("no"))]));
    let Verdict::Changed { warnings } = &outcome.workloads[0].verdict else {
        panic!("{:?}", outcome.workloads)
    };
    assert!(warnings[0].contains("interceptor.dev/rewrite is \"no\""), "{warnings:?}");
}

#[rstest]
#[case::virtual_machine(json!(["istio-iptables", "-k", "eth1"]), "interception of virtual machines")]
#[case::unknown_flag(json!(["istio-iptables", "--nonsense"]), "unexpected argument '--nonsense' found")]
#[case::bad_range(json!(["istio-iptables", "-i", "10.0.0.0/33"]), "`10.0.0.0/33` is not an IP range")]
#[case::unknown_service(json!(["istio-iptables", "-b", "*", "-d", "http"]), "`http` is not a port")]
#[case::bad_number(json!(["istio-iptables", "--iptables-probe-port", "x"]), "write a number from 0 to 65535")]
fn arguments_that_interceptor_refuses_are_named(#[case] args: Value, #[case] expected: &str) {
    match reason(&pod_with(&[(ARGS, args)])) {
        Reason::Arguments { message } => {
            assert!(message.contains(expected), "{message}");
            assert_eq!(message.lines().count(), 1);
        }
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::volume(
    &[("/spec/volumes/0", json!({ "name": "interceptor-bpffs", "emptyDir": {} }))],
    "spec.volumes[0]: name \"interceptor-bpffs\""
)]
#[case::mount_name(
    &[("/spec/initContainers/0/volumeMounts", json!([{ "name": "interceptor-cgroup", "mountPath": "/mnt" }]))],
    "spec.initContainers[0].volumeMounts[0]: name \"interceptor-cgroup\""
)]
#[case::mount_path(
    &[("/spec/initContainers/0/volumeMounts", json!([{ "name": "other", "mountPath": "/host/bpf/" }]))],
    "spec.initContainers[0].volumeMounts[0]: mountPath \"/host/bpf\""
)]
#[case::variable(
    &[("/spec/initContainers/0/env", json!([{ "name": "INTERCEPTOR_BPFFS", "value": "/bpf" }]))],
    "spec.initContainers[0].env[0]: name \"INTERCEPTOR_BPFFS\""
)]
fn a_name_or_a_path_that_is_taken_is_named(#[case] changes: &[(&str, Value)], #[case] expected: &str) {
    assert_eq!(reason(&pod_with(changes)), Reason::Taken { what: expected.into() });
}

#[test]
fn what_may_work_is_rewritten_on_demand() {
    let tproxy = pod_with(&[(ARGS, json!(["istio-iptables", "-m", "TPROXY"]))]);
    let runtime = pod_with(&[("/spec/runtimeClassName", json!("crun"))]);
    for (options, pod) in [
        (Rewrite { tproxy: true, ..options() }, tproxy),
        (Rewrite { any_runtime: true, ..options() }, runtime),
    ] {
        let verdict = options.apply(&pod).unwrap().workloads.remove(0).verdict;
        assert_eq!(verdict, Verdict::Changed { warnings: vec![] });
    }
}

#[test]
fn only_what_somebody_may_have_expected_is_surprising() {
    assert!(!reason(&pod_with(&[("/spec/initContainers", json!([]))])).is_surprising());
    assert!(!reason(&pod_with(&[(LABEL, json!("false"))])).is_surprising());
    assert!(reason(&pod_with(&[("/spec/hostNetwork", json!(true))])).is_surprising());
}

#[rstest]
#[case::numbers_as_arguments(ARGS, json!(["istio-iptables", "-p", 15001]), "spec.initContainers[0].args[2]")]
#[case::arguments_as_text(ARGS, json!("istio-iptables"), "spec.initContainers[0].args")]
#[case::no_list("/spec/initContainers", json!({}), "spec.initContainers")]
#[case::no_container("/spec/initContainers/0", json!(7), "spec.initContainers[0]")]
#[case::no_volume("/spec/volumes/0", json!(true), "spec.volumes[0]")]
#[case::opt_out_without_quotes(LABEL, json!(false), "metadata.labels[\"interceptor.dev/rewrite\"]")]
#[case::two_of_them("/spec/initContainers/1/name", json!("istio-init"), "spec.initContainers[1].name")]
#[case::no_spec("/spec", Value::Null, "spec")]
#[case::broken_record(
    "/metadata/annotations/interceptor.dev~1istio-init",
    json!("{"),
    "metadata.annotations[\"interceptor.dev/istio-init\"]"
)]
fn what_kubernetes_would_refuse_is_an_error_that_names_the_place(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: &str,
) {
    let error = options().apply(&pod_with(&[(pointer, value)])).unwrap_err();
    assert_eq!(error.path, expected, "{error}");
}

#[test]
fn a_document_without_a_kind_is_an_error() {
    for manifest in [json!({ "apiVersion": "v1" }), json!({ "kind": "Pod" }), json!("text"), json!([pod()])] {
        assert!(options().apply(&manifest).is_err(), "{manifest}");
    }
}
