// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The image as it ships, and the chart that installs it, by Helm and on a real API server.

use std::{collections::BTreeMap, env, path::Path, path::PathBuf};

use serde_json::{Value, json};
use testkit::{Run, cluster::Cluster, helm::Helm, profile_directory, wait_until};

use crate::{
    agent::{by_agent, validated},
    init_container::{ask_through_both_sidecars, expect_enrolled, status},
    pods::{Running, import_image, injected},
};

/// As `cargo xtask image` and the chart call it.
pub(crate) const IMAGE: &str = concat!("localhost/interceptor:", env!("CARGO_PKG_VERSION"));

/// The agent's object.
pub(crate) const AGENT: &str = "daemonset/interceptor-agent";

pub(crate) const NAMESPACE: &str = "istio-system";

/// What the plugin's entry says, without its other keys.
const EXCLUDED: &str = "exclude_namespaces";

pub(crate) fn the_image_is_istio_init_without_a_command(cluster: &Cluster) {
    import_image(cluster);
    import_shipped(cluster);
    cluster.apply(&[by_image("client"), by_image("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    ask_through_both_sidecars(cluster, &client, &web);
    expect_enrolled(cluster, &[&client, &web]);
    cluster.delete(&["pod/client", "pod/web"]);
    on_node(cluster, testkit::interceptor_binary(), &["clean", "--all"]);
}

pub(crate) fn the_chart_is_installed_upgraded_rolled_back_and_leaves_the_node_as_it_was(cluster: &Cluster) {
    import_image(cluster);
    import_shipped(cluster);
    let before = node(cluster);
    let helm = helm();

    cluster.ask(&["create", "namespace", NAMESPACE]);
    let manifests = helm.render(&json!({})).unwrap_or_else(|error| panic!("{error}")).text;
    Run::with_input(cluster.kubectl(&["apply", "--dry-run=server", "--filename", "-"]), &manifests).expect_success();
    cluster.apply(&[validated("early")]);
    wait_until(
        "a pod that started before the plugin was there finds that nothing intercepts it",
        || {
            let code = "jsonpath={.status.initContainerStatuses[0].lastState.terminated.exitCode}";
            cluster.ask(&["get", "pod/early", "--output", code]) == "126"
        },
    );

    helm.change(cluster, "install", &json!({}));
    wait_for_rollout(cluster, AGENT);
    assert_eq!(entry(cluster)[EXCLUDED], json!(["kube-system"]));
    cluster.wait_for("condition=Ready", &["pod/early"]);
    expect_enrolled(cluster, &[&Running::look(cluster, "early")]);
    cluster.delete(&["pod/early"]);
    cluster.apply(&[by_agent("client"), by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    ask_through_both_sidecars(cluster, &client, &web);
    expect_enrolled(cluster, &[&client, &web]);
    expect_to_be_told_by_the_agents_container(cluster);

    // One that still has its init container needs no agent, and keeps what that has set up.
    let mut own = by_image("own");
    own["metadata"]["annotations"] = json!({ "sidecar.istio.io/status": "{}" });
    cluster.apply(&[own]);
    cluster.wait_for("condition=Ready", &["pod/own"]);
    let own = Running::look(cluster, "own");
    ask_through_both_sidecars(cluster, &own, &web);
    expect_enrolled(cluster, &[&client, &web, &own]);
    cluster.delete(&["pod/own"]);

    helm.change(cluster, "upgrade", &json!({ "excludeNamespaces": ["kube-system", "other"] }));
    wait_for_rollout(cluster, AGENT);
    assert_eq!(entry(cluster)[EXCLUDED], json!(["kube-system", "other"]));
    ask_through_both_sidecars(cluster, &client, &web);
    helm.change(cluster, "rollback", &json!({}));
    wait_for_rollout(cluster, AGENT);
    assert_eq!(entry(cluster)[EXCLUDED], json!(["kube-system"]));
    ask_through_both_sidecars(cluster, &client, &web);

    cluster.delete(&["pod/client", "pod/web"]);
    wait_until("the agent ends what was in force for pods that are gone", || {
        status(cluster).is_empty()
    });
    uninstall(cluster, &helm);
    assert_eq!(node(cluster), before);
    // No socket, and no record of a pod. The lock is of nodes on which the plugin makes cgroups.
    let mut left = found(cluster, &["/run/interceptor"]);
    left.retain(|file| file != "cgroups.lock 600 root");
    assert_eq!(
        left,
        ["interceptor-cni.log 600 root", "pods 700 root", "rules 700 root", "unprotected 700 root"]
    );
    cluster.ask(&["delete", "namespace", NAMESPACE, "--wait"]);
}

/// As documented, in the container that the chart starts: by the names of pods, and without a path.
fn expect_to_be_told_by_the_agents_container(cluster: &Cluster) {
    let ask = |words: &[&str]| {
        let words = [&["--namespace", NAMESPACE, "exec", AGENT, "--", "interceptor"], words].concat();
        serde_json::from_str::<Value>(&cluster.ask(&words)).expect("JSON")
    };
    let told = ask(&["status", "--output", "json"]);
    let mut names: Vec<_> = told.as_array().expect("pods").iter().map(|pod| &pod["pod"]).collect();
    names.sort_by_key(|name| name.as_str());
    assert_eq!(names, ["default/client", "default/web"], "{told:#}");
    let told = ask(&["explain", "--pod", "default/web", "--output", "json", "192.0.2.1:80"]);
    assert_eq!(
        told["verdict"], "is redirected to the sidecar's outbound port 15001",
        "{told:#}"
    );
}

pub(crate) fn helm() -> Helm {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    Helm::new(&workspace.join("deploy/chart"), "interceptor", NAMESPACE)
}

/// Returns when the release's pods are gone, and nothing of it is left in the API.
pub(crate) fn uninstall(cluster: &Cluster, helm: &Helm) {
    helm.change(cluster, "uninstall", &json!({}));
    let of_namespace = |kind: &str| cluster.ask(&["--namespace", NAMESPACE, "get", kind, "--output", "name"]);
    wait_until("the release's pods are gone", || of_namespace("pods").is_empty());
    for kind in ["clusterrole", "clusterrolebinding", "mutatingwebhookconfiguration"] {
        let left = cluster.ask(&["get", kind, "--output", "name"]);
        assert!(!left.contains("interceptor"), "{left}");
    }
    let left = of_namespace("secret,serviceaccount,service,role,rolebinding,poddisruptionbudget");
    let left: Vec<_> = left.lines().filter(|line| line.contains("interceptor")).collect();
    assert_eq!(left, [""; 0]);
}

pub(crate) fn import_shipped(cluster: &Cluster) {
    cluster.import_archive(&archive(""));
}

/// What `cargo xtask image` has written, of the image whose tag ends so.
pub(crate) fn archive(suffix: &str) -> PathBuf {
    let profile = profile_directory();
    let target = profile.parent().expect("cargo's target directory");
    let plain = env::var_os("INTERCEPTOR_IMAGE").map_or_else(|| target.join("oci/interceptor.tar"), PathBuf::from);
    let stem = plain.file_stem().expect("a file").to_string_lossy();
    let archive = plain.with_file_name(format!("{stem}{suffix}.tar"));
    assert!(
        archive.is_file(),
        "no {}: run `cargo xtask image`, or with --with-iptables",
        archive.display()
    );
    archive
}

/// As in the documentation: the image in place of Istio's, with Istio's arguments.
fn by_image(name: &str) -> Value {
    let mut pod = injected(name);
    let container = &mut pod["spec"]["initContainers"][0];
    let command = container.as_object_mut().and_then(|fields| fields.remove("command"));
    // `/bin/interceptor`, and what it is told.
    container["args"] = json!(command.as_ref().and_then(Value::as_array).expect("a command")[1..]);
    container["image"] = json!(IMAGE);
    pod
}

pub(crate) fn wait_for_rollout(cluster: &Cluster, object: &str) {
    let words = ["--namespace", NAMESPACE, "rollout", "status", object, "--timeout=50s"];
    let run = Run::of(cluster.kubectl(&words));
    if run.code != Some(0) {
        let of_namespace = |words: &[&str]| Run::of(cluster.kubectl(&[&["--namespace", NAMESPACE], words].concat()));
        let (pods, log) = (of_namespace(&["describe", "pods"]), of_namespace(&["logs", object]));
        panic!("{run}\n{pods}\n{log}");
    }
}

/// The plugin's entry in the list of the node's network.
fn entry(cluster: &Cluster) -> Value {
    let lists = lists(cluster);
    let plugins = lists.values().filter_map(|list| list["plugins"].as_array()).flatten();
    let mut ours = plugins.filter(|plugin| plugin["type"] == "interceptor-cni");
    ours.next().unwrap_or_else(|| panic!("no entry in {lists:?}")).clone()
}

/// What an installation may leave behind.
#[derive(Debug, PartialEq)]
pub(crate) struct OnNode {
    /// The contents of the CNI configurations, by their paths.
    lists: BTreeMap<String, Value>,
    /// Paths of programs and pins, and who owns them.
    files: Vec<String>,
}

pub(crate) fn node(cluster: &Cluster) -> OnNode {
    OnNode {
        lists: lists(cluster),
        files: found(cluster, &["/opt/cni/bin", "/etc/cni/net.d", "/sys/fs/bpf"]),
    }
}

/// What is below these directories, its mode and its owner.
fn found(cluster: &Cluster, places: &[&str]) -> Vec<String> {
    let words = [places, &["-mindepth", "1", "-printf", "%P %m %u\\n"]].concat();
    let mut files: Vec<_> = on_node(cluster, Path::new("find"), &words).lines().map(str::to_owned).collect();
    files.sort();
    files
}

fn lists(cluster: &Cluster) -> BTreeMap<String, Value> {
    let names = on_node(cluster, Path::new("find"), &["/etc/cni/net.d", "-name", "*.conflist"]);
    let read = |name: &str| {
        let text = on_node(cluster, Path::new("cat"), &[name]);
        (
            name.to_owned(),
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}")),
        )
    };
    names.lines().map(read).collect()
}

fn on_node(cluster: &Cluster, program: &Path, words: &[&str]) -> String {
    let mut command = cluster.node(program);
    command.args(words);
    let run = Run::of(command);
    run.expect_success();
    run.stdout
}
