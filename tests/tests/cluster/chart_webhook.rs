// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The webhook as the chart installs it: pods that Istio injected for its own init container run with the agent, or
//! with our init container.

use serde_json::{Value, json};
use testkit::{Run, cluster::Cluster, wait_until};

use crate::{
    agent::wait_until_none_is_enrolled,
    chart::{AGENT, IMAGE, NAMESPACE, helm, import_shipped, node, uninstall, wait_for_rollout},
    rewritten::{import_images, injected_by_istio, tell},
};

const WEBHOOK: &str = "deployment/interceptor-webhook";
const CONFIGURATION: &str = "mutatingwebhookconfiguration/zz-interceptor";

pub(crate) fn the_charts_webhook_rewrites_pods_keeps_its_certificate_and_goes_with_the_release(cluster: &Cluster) {
    import_images(cluster);
    import_shipped(cluster);
    let before = node(cluster);
    // A tag other than `latest`: the API server would have the image pulled, and no registry has it.
    let pods =
        injected_by_istio().replace("registry.istio.io/testing/proxyv2:latest", "docker.io/istio/proxyv2:1.29.0");
    let values = |data_path: &str| json!({ "webhook": { "enabled": true, "dataPath": data_path } });
    let helm = helm();

    helm.change(cluster, "install", &values(""));
    wait_for_rollout(cluster, AGENT);
    wait_for_rollout(cluster, WEBHOOK);
    wait_until("pods are rewritten for the plugin", || {
        init(cluster, &pods)["name"] == "istio-validation"
    });
    let first = init(cluster, &pods);
    assert_eq!(first["image"], IMAGE);
    assert!(!first.to_string().contains("NET_ADMIN"), "{first}");
    tell(cluster, &pods, "istio-proxy");
    let authority = authority(cluster);
    assert_eq!(trusted(cluster), authority);

    helm.change(cluster, "upgrade", &values("init"));
    wait_for_rollout(cluster, WEBHOOK);
    wait_until("pods are rewritten for an init container", || {
        init(cluster, &pods)["name"] == "istio-init"
    });
    let second = init(cluster, &pods);
    assert_eq!(second["image"], IMAGE);
    assert_eq!(
        second["securityContext"]["capabilities"]["add"],
        json!(["BPF", "NET_ADMIN", "PERFMON"])
    );
    tell(cluster, &pods, "istio-proxy");
    assert_eq!(
        (self::authority(cluster), trusted(cluster)),
        (authority.clone(), authority.clone())
    );

    helm.change(cluster, "rollback", &json!({}));
    wait_for_rollout(cluster, WEBHOOK);
    wait_until("pods are rewritten for the plugin again", || {
        init(cluster, &pods)["name"] == "istio-validation"
    });
    assert_eq!((self::authority(cluster), trusted(cluster)), (authority.clone(), authority));

    wait_until_none_is_enrolled(cluster);
    uninstall(cluster, &helm);
    assert_eq!(node(cluster), before);
    assert_eq!(init(cluster, &pods)["image"], "docker.io/istio/proxyv2:1.29.0");
    cluster.ask(&["delete", "namespace", NAMESPACE, "--wait"]);
}

/// The first init container of the first pod, as the API server would admit it.
fn init(cluster: &Cluster, pods: &str) -> Value {
    let create = ["create", "--dry-run=server", "--output", "json", "--filename", "-"];
    let list: Value = serde_json::from_str(pods).expect("a list");
    let pod: Value = Run::with_input(cluster.kubectl(&create), &list["items"][0].to_string()).json();
    pod["spec"]["initContainers"][0].clone()
}

/// Of the certificate, as its Secret has it.
fn authority(cluster: &Cluster) -> String {
    let secret = ["--namespace", NAMESPACE, "get", "secret/interceptor-webhook-tls", "--output"];
    cluster.ask(&[&secret[..], &["jsonpath={.data.ca\\.crt}"]].concat())
}

/// What the API server trusts.
fn trusted(cluster: &Cluster) -> String {
    let bundle = "jsonpath={.webhooks[0].clientConfig.caBundle}";
    cluster.ask(&["get", CONFIGURATION, "--output", bundle])
}
