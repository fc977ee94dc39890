// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that pass, and that nobody is asked about. The result of the chain is passed on unchanged.

use rstest::rstest;
use serde_json::json;

use crate::{
    agent::{Agent, enrolled},
    node::{Cgroups, on},
};

const NOT_KUBERNETES: &str = "names no pod of Kubernetes";
const EXCLUDED: &str = "exclude_namespaces";
const NOT_INJECTED: &str = "lacks the annotation sidecar.istio.io/status";
const OWN_AGENT: &str = "the node agent's own pod";

const CONTAINER: &str = "";
const POD: &str = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0";
const AGENT: &str = "K8S_POD_NAMESPACE=istio-system;K8S_POD_NAME=istio-cni-node-x7z2p";

/// Each reason alone, and each pair of reasons.
#[rstest]
#[case::not_kubernetes(CONTAINER, "other", None, NOT_KUBERNETES)]
#[case::excluded(POD, "default", None, EXCLUDED)]
#[case::not_injected(POD, "other", Some(false), NOT_INJECTED)]
#[case::not_kubernetes_and_excluded(CONTAINER, "default", None, NOT_KUBERNETES)]
#[case::not_kubernetes_and_not_injected(CONTAINER, "other", Some(false), NOT_KUBERNETES)]
#[case::not_kubernetes_though_injected(CONTAINER, "other", Some(true), NOT_KUBERNETES)]
#[case::excluded_and_not_injected(POD, "default", Some(false), EXCLUDED)]
#[case::excluded_though_injected(POD, "default", Some(true), EXCLUDED)]
#[case::all_three(CONTAINER, "default", Some(false), NOT_KUBERNETES)]
#[case::own_agent(AGENT, "other", None, OWN_AGENT)]
#[case::own_agent_and_excluded(AGENT, "istio-system", None, OWN_AGENT)]
#[case::own_agent_with_annotations(AGENT, "other", Some(false), NOT_INJECTED)]
fn the_earlier_reason_to_pass_is_logged_and_nobody_is_asked(
    #[case] args: &str,
    #[case] excluded: &str,
    #[case] injected: Option<bool>,
    #[case] reason: &str,
) {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, enrolled());
        let mut plugin = node.plugin("ADD").env("CNI_ARGS", args);
        plugin = plugin
            .key("exclude_namespaces", json!([excluded]))
            .key("pod_namespace", "istio-system");
        plugin = match injected {
            Some(true) => plugin.injected(),
            Some(false) => plugin.annotations(json!({ "a": "b" })),
            None => plugin,
        };
        let result = plugin.run().expect("passed", reason);
        assert_eq!(result["ips"][0]["address"], "10.0.0.2/24");
        assert!(agent.stop().is_empty());
    });
}

/// Without annotations too.
#[rstest]
#[case::own_agent(AGENT, "other", OWN_AGENT)]
#[case::excluded(POD, "default", EXCLUDED)]
#[case::no_arguments("", "other", NOT_KUBERNETES)]
#[case::container_of_ctr("IgnoreUnknown=1;SOMETHING=else", "other", NOT_KUBERNETES)]
fn without_an_agent_pods_that_are_known_to_pass_do(#[case] args: &str, #[case] excluded: &str, #[case] reason: &str) {
    on(Cgroups::Unified, |node| {
        let plugin = node.plugin("ADD").env("CNI_ARGS", args).key("pod_namespace", "istio-system");
        plugin
            .key("exclude_namespaces", json!([excluded]))
            .run()
            .expect("passed", reason);
    });
}

#[test]
fn without_an_agent_a_pod_that_is_not_injected_passes() {
    on(Cgroups::Unified, |node| {
        node.plugin("ADD")
            .annotations(json!({ "a": "b" }))
            .run()
            .expect("passed", NOT_INJECTED);
        node.plugin("ADD").annotations(json!(null)).run().expect("passed", NOT_INJECTED);
    });
}

#[test]
fn unknown_keys_in_cni_args_are_ignored() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node.with_cgroup(), enrolled());
        let args =
            "K8S_POD_NAMESPACE=default;NEW=1=2;K8S_POD_NAME=web-0;K8S_POD_UID=12345678-90ab-cdef-1234-567890abcdef";
        node.plugin("ADD").env("CNI_ARGS", args).run().expect("enrolled", "");
        assert_eq!(agent.stop()[0].attachment().pod.as_ref().unwrap().name.as_str(), "web-0");
    });
}

#[rstest]
fn the_result_is_passed_on_byte_for_byte(
    #[values("0.3.1", "0.4.0", "1.0.0", "1.1.0")] version: &str,
    #[values(false, true)] injected: bool,
) {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node.with_cgroup(), enrolled());
        let result = format!(
            r#"{{ "cniVersion":"{version}","new":{{"z":1.0,"a":[12345678901234567890123,1e2,null]}},
                "ips":[ {{"address":"10.0.0.2/24","extra":true}}], "text":"\u00e9\/" }}"#
        );
        let annotations = if injected { r#"{"sidecar.istio.io/status":""}"# } else { "{}" };
        let stdin = format!(
            r#"{{"cniVersion":"{version}","cni_agent_run_dir":"{}","cgroup_root":"{}","prevResult":  {result},
                "runtimeConfig":{{"io.kubernetes.cri.pod-annotations":{annotations}}}}}"#,
            node.run_dir().display(),
            node.root()
        );
        let run = node.plugin("ADD").stdin(&stdin).run();
        assert!(run.success, "{}", run.stderr);
        assert_eq!(run.stdout, result);
    });
}

#[rstest]
fn without_a_result_an_empty_one_of_the_version_is_printed(
    #[values("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")] version: &str,
) {
    on(Cgroups::Unified, |node| {
        let plugin = node.plugin("ADD").annotations(json!({})).key("prevResult", json!(null));
        let result = plugin.key("cniVersion", version).run().expect("passed", NOT_INJECTED);
        assert_eq!(result, json!({ "cniVersion": version, "dns": {} }));
    });
}
