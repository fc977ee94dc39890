// SPDX-License-Identifier: Apache-2.0 OR MIT
//! In which order kubelet and the container runtime do what a CNI plugin has to be ready for. Nothing here is about
//! the program: these are the facts that it builds on. Pods whose end is of no interest stay until the node goes.

use serde_json::{Value, json};
use testkit::{
    Run,
    cluster::{BUSYBOX_IMAGE, CgroupMode, Cluster, CniCall},
    wait_until,
};

use crate::{pods::Running, sandbox::kill_sandbox};

/// kubelet makes the directory of a pod before it calls the runtime, in the hierarchies that it manages. On a hybrid
/// node these are those of cgroup1: cgroup2 gets the directory with the first process, after ADD.
pub(crate) fn at_add_the_pods_cgroup2_directory_is_there_if_the_node_is_unified(cluster: &Cluster) {
    let pods = [
        plain("best-effort", &json!({}), false),
        plain("burstable", &json!({ "requests": { "cpu": "10m" } }), false),
        plain("guaranteed", &json!({ "limits": { "cpu": "100m", "memory": "64Mi" } }), false),
    ];
    cluster.apply(&pods);
    cluster.wait_for("condition=Ready", &["pod/best-effort", "pod/burstable", "pod/guaranteed"]);
    for pod in ["best-effort", "burstable", "guaranteed"] {
        let calls = cluster.cni_calls(pod);
        let [add] = calls.as_slice() else { panic!("{calls:#?}") };
        assert_eq!((add.command.as_str(), add.has_previous_result), ("ADD", true), "{add:#?}");
        assert_eq!(add.cgroup2.is_some(), cluster.mode() == CgroupMode::Unified, "{add:#?}");
    }
}

/// The directory in cgroup2 is the same for both sandboxes, so that DEL of the first must not take what the second
/// one needs.
pub(crate) fn a_killed_sandbox_is_deleted_before_the_next_is_added_and_again_after_it(cluster: &Cluster) {
    cluster.apply(&[plain("killed", &json!({}), false)]);
    cluster.wait_for("condition=Ready", &["pod/killed"]);
    let pod = Running::look(cluster, "killed");
    let old = kill_sandbox(cluster, &pod).id;
    wait_until("there is a second ADD", || adds(&cluster.cni_calls("killed")).len() == 2);
    wait_until("the API knows the new sandbox", || {
        Running::look(cluster, "killed").address != pod.address
    });
    cluster.wait_for("condition=Ready", &["pod/killed"]);
    assert_eq!(Running::look(cluster, "killed").uid, pod.uid);
    cluster.delete(&["pod/killed"]);
    let calls = cluster.cni_calls("killed");
    let new = adds(&calls)[1].sandbox.clone();
    wait_until("the new sandbox is deleted", || {
        !dels(&cluster.cni_calls("killed"), &new).is_empty()
    });

    let calls = cluster.cni_calls("killed");
    let position =
        |command: &str, sandbox: &str| calls.iter().position(|call| call.command == command && call.sandbox == sandbox);
    assert!(position("DEL", &old) < position("ADD", &new), "{calls:#?}");
    let after = calls.iter().skip(position("ADD", &new).expect("an ADD"));
    assert!(
        after.clone().any(|call| call.command == "DEL" && call.sandbox == old),
        "{calls:#?}"
    );
    assert!(calls.iter().all(|call| call.uid == pod.uid), "{calls:#?}");
    expect_one_del_with_a_namespace(&calls, &old);
    expect_one_del_with_a_namespace(&calls, &new);
}

pub(crate) fn a_failed_add_is_deleted_and_another_sandbox_is_tried(cluster: &Cluster) {
    cluster.fail_next_add();
    cluster.apply(&[plain("retried", &json!({}), false)]);
    cluster.wait_for("condition=Ready", &["pod/retried"]);
    let calls = cluster.cni_calls("retried");
    let [failed, del, .., last] = calls.as_slice() else { panic!("{calls:#?}") };
    assert!(failed.failed && failed.command == "ADD", "{calls:#?}");
    assert_eq!(
        (del.command.as_str(), &del.sandbox, &del.netns),
        ("DEL", &failed.sandbox, &failed.netns),
        "{calls:#?}"
    );
    assert!(!last.failed && last.uid == failed.uid, "{calls:#?}");
    let [_, second] = adds(&calls)[..] else { panic!("{calls:#?}") };
    assert!(second.sandbox != failed.sandbox && second.netns != failed.netns, "{calls:#?}");
}

/// It has a directory in cgroup2, as other pods have.
pub(crate) fn plugins_are_not_told_of_a_pod_in_the_hosts_network(cluster: &Cluster) {
    cluster.apply(&[plain("host", &json!({}), true), plain("other", &json!({}), false)]);
    cluster.wait_for("condition=Ready", &["pod/host", "pod/other"]);
    // The calls for a pod that came at the same time have been written down, so those for this one would have been.
    assert!(!cluster.cni_calls("other").is_empty());
    assert_eq!(cluster.cni_calls("host"), []);
    let cgroup = Running::look(cluster, "host").cgroup(cluster);
    let mut test = cluster.node("test");
    test.args(["-d", &cgroup]);
    Run::of(test).expect_success();
    cluster.delete(&["pod/host", "pod/other"]);
}

/// The others have an empty one and no previous result.
fn expect_one_del_with_a_namespace(calls: &[CniCall], sandbox: &str) {
    let dels = dels(calls, sandbox);
    let (first, later) = dels.split_first().expect("a DEL");
    assert!(!first.netns.is_empty() && first.has_previous_result, "{calls:#?}");
    assert!(
        later.iter().all(|del| del.netns.is_empty() && !del.has_previous_result),
        "{calls:#?}"
    );
}

fn adds(calls: &[CniCall]) -> Vec<&CniCall> {
    calls.iter().filter(|call| call.command == "ADD").collect()
}

fn dels<'a>(calls: &'a [CniCall], sandbox: &str) -> Vec<&'a CniCall> {
    calls
        .iter()
        .filter(|call| call.command == "DEL" && call.sandbox == sandbox)
        .collect()
}

fn plain(name: &str, resources: &Value, host_network: bool) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "hostNetwork": host_network,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "app",
                "image": BUSYBOX_IMAGE,
                "imagePullPolicy": "Never",
                "command": ["sleep", "100000"],
                "resources": resources,
            }],
        },
    })
}
