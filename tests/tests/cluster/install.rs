// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The plugin is put on a node whose runtime runs, and taken off it.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};
use testkit::{cluster::Cluster, profile_directory, wait_until};

use crate::{
    agent::{
        LIST, PROGRAM, SOCKET, by_agent, end, idle, obstacles, plugins, purge, start, stop, validated,
        wait_until_none_is_enrolled,
    },
    daemon_set,
    init_container::{ask_through_both_sidecars, expect_enrolled},
    pods::{Running, import_image},
    restarts::{failures, wait_until_its_sandbox_failed},
};

/// The list of our own, where the agent is asked for one.
const OWN_LIST: &str = "/etc/cni/net.d/02-interceptor-cni.conflist";
/// What the node has without us.
const OWN_PLUGINS: [&str; 3] = ["bridge", "portmap", "calls"];

pub(crate) fn the_plugin_comes_with_the_daemon_set_stays_during_an_update_and_goes_with_it(cluster: &Cluster) {
    import_image(cluster);
    daemon_set::deploy(cluster);
    assert_eq!(plugins(cluster), [&OWN_PLUGINS[..], &["interceptor-cni"]].concat());
    cluster.apply(&[by_agent("client"), by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    ask_through_both_sidecars(cluster, &client, &web);
    expect_enrolled(cluster, &[&client, &web]);

    let files = || [LIST, PROGRAM].map(|file| cluster.succeed(&["stat", "--format=%i %Y %Z", file]));
    let before = files();
    daemon_set::restart(cluster);
    assert_eq!(files(), before, "an update writes neither the list nor the program");
    ask_through_both_sidecars(cluster, &client, &web);

    daemon_set::delete(cluster);
    assert_eq!(plugins(cluster), OWN_PLUGINS);
    assert!(!cluster.exists(PROGRAM) && !cluster.exists(SOCKET));
    ask_through_both_sidecars(cluster, &client, &web);
    cluster.apply(&[idle("plain", false), validated("open")]);
    cluster.wait_for("condition=Ready", &["pod/plain"]);
    wait_until("the pod that starts without interception is kept from running", || {
        let code = "{.status.initContainerStatuses[0].lastState.terminated.exitCode}";
        cluster.ask(&["get", "pod/open", "--output", &format!("jsonpath={code}")]) == "126"
    });
    // The runtime ends the sandboxes that it began with the plugin, without it.
    cluster.delete(&["pod/client", "pod/web", "pod/plain", "pod/open"]);
    purge(cluster);
}

/// The agent's own pod is in the host's network, and the entry is there before any agent is.
pub(crate) fn a_node_that_boots_with_the_entry_and_without_anything_else_recovers(cluster: &Cluster) {
    import_image(cluster);
    end(cluster, start(cluster, &[]));
    // A boot empties these.
    cluster.succeed(&["rm", "-r", "/run/interceptor"]);
    cluster.succeed(&["rm", "-r", "-f", "/sys/fs/bpf/interceptor"]);
    assert!(plugins(cluster).contains(&"interceptor-cni".to_owned()));

    cluster.apply(&[idle("plain", false), by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/plain"]);
    wait_until_its_sandbox_failed(cluster, "web");
    let failures = failures(cluster, "web");
    assert!(failures[0].contains("agent"), "{failures:?}");
    daemon_set::deploy(cluster);
    cluster.wait_for("condition=Ready", &["pod/web"]);
    expect_enrolled(cluster, &[&Running::look(cluster, "web")]);
    cluster.delete(&["pod/web", "pod/plain"]);
    wait_until_none_is_enrolled(cluster);
    daemon_set::delete(cluster);
    purge(cluster);
}

pub(crate) fn a_list_of_its_own_comes_first_and_leaves_that_of_the_network_alone(cluster: &Cluster) {
    import_image(cluster);
    let list = cluster.read(LIST);
    // This DaemonSet does not exist, so the agent that ends is being uninstalled.
    let agent = start(
        cluster,
        &["--istio-owned-cni-config=true", "--pod-namespace=kube-system", "--daemonset-name=none"],
    );
    cluster.apply(&[by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/web"]);
    expect_enrolled(cluster, &[&Running::look(cluster, "web")]);
    cluster.delete(&["pod/web"]);
    wait_until_none_is_enrolled(cluster);
    assert_eq!(cluster.read(LIST), list);
    let ended = stop(agent);
    assert!(ended.status.success(), "{:#?}", ended.lines);
    assert!(!cluster.exists(OWN_LIST) && !cluster.exists(PROGRAM), "{:#?}", ended.lines);
    assert_eq!(cluster.read(LIST), list);
    cluster.apply(&[idle("plain", false)]);
    cluster.wait_for("condition=Ready", &["pod/plain"]);
    cluster.delete(&["pod/plain"]);
    purge(cluster);
}

/// The network rewrites its list, another installer replaces the program, and the agent puts its own back.
pub(crate) fn pods_start_while_the_list_and_the_program_are_replaced(cluster: &Cluster) {
    const PODS: usize = 20;
    let agent = start(cluster, &[]);
    let list: Value = serde_json::from_str(&cluster.read(LIST)).expect("JSON");
    let program = fs::read(profile_directory().join("interceptor-cni")).expect("read the program");
    let pods: Vec<Value> = (0..PODS)
        .map(|number| {
            let mut pod = idle(&format!("pod-{number}"), true);
            pod["metadata"]["labels"] = json!({ "group": "replaced" });
            pod
        })
        .collect();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let rounds = scope.spawn(|| {
            let directory = tempfile::tempdir().expect("a directory");
            let [list_file, program_file] = ["list", "program"].map(|name| directory.path().join(name));
            let mut rounds = 0_u32;
            while !is_done.load(Ordering::Relaxed) {
                let mut other = list.clone();
                let ours = other["plugins"].as_array_mut().and_then(|plugins| plugins.last_mut());
                ours.expect("our entry")["del_timeout_ms"] = json!(1000 + rounds);
                fs::write(&list_file, other.to_string()).expect("write a list");
                cluster.put(&list_file, LIST, "644");
                fs::write(&program_file, [&program[..], b"another build"].concat()).expect("write a program");
                cluster.put(&program_file, PROGRAM, "755");
                rounds += 1;
            }
            rounds
        });
        // Also when a pod does not come up.
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            cluster.apply(&pods);
            cluster.wait_for_all("condition=Ready", "group=replaced");
        }));
        is_done.store(true, Ordering::Relaxed);
        assert!(rounds.join().expect("nobody minds") > 2);
        waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let names: Vec<_> = (0..PODS).map(|number| format!("pod-{number}")).collect();
    let running: Vec<_> = names.iter().map(|name| Running::look(cluster, name)).collect();
    expect_enrolled(cluster, &running.iter().collect::<Vec<_>>());
    for name in &names {
        // A busy machine may keep a pod waiting for too long, which the agent says; no file was in the way.
        for failure in failures(cluster, name) {
            assert!(failure.contains("kubelet tries again"), "{failure}");
        }
    }
    // It waits before it writes again what somebody else has written again and again.
    wait_until("the agent is content", || obstacles(cluster).is_empty());
    let restored: Value = serde_json::from_str(&cluster.read(LIST)).expect("JSON");
    assert_eq!(restored, list);
    cluster.delete_all("group=replaced");
    wait_until_none_is_enrolled(cluster);
    end(cluster, agent);
    purge(cluster);
}
