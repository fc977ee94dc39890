// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CNI plugin itself beside the agent. What the plugin does alone is tested in the suite `cni`.

use std::{env, path::Path, process::Command};

use serde_json::{Value, json};
use testkit::{
    Run,
    scene::{Outcome, Scene},
};

use crate::{lab::Lab, sandbox::Sandbox};

#[test]
fn what_the_plugin_asks_for_happens() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let _agent = lab.start_synced();

    plugin(&lab, &sandbox, "STATUS").expect_success();
    let check = plugin(&lab, &sandbox, "CHECK");
    assert!(check.stdout.contains(r#""code":100,"#), "not enrolled yet: {check}");

    let add = plugin(&lab, &sandbox, "ADD");
    add.expect_success();
    assert_eq!(add.stdout, previous().to_string());
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    assert_eq!(scene.inbound(), Outcome::ThroughSidecar);
    plugin(&lab, &sandbox, "CHECK").expect_success();

    for _ in 0..2 {
        plugin(&lab, &sandbox, "DEL").expect_success();
        assert!(lab.enrollments().is_empty() && lab.records().is_empty());
    }
    assert_eq!(scene.outbound(), Outcome::Direct);
}

#[test]
fn what_the_agent_refuses_fails_the_plugin_with_its_words() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let sandbox = Sandbox::of(&scene.pod, "bad");
    let mut bad = sandbox.injected();
    bad["metadata"]["annotations"]["traffic.sidecar.istio.io/includeOutboundPorts"] = "http".into();
    lab.api.put(bad);
    let _agent = lab.start_synced();
    let add = plugin(&lab, &sandbox, "ADD");
    let error: Value = serde_json::from_str(&add.stdout).unwrap_or_else(|error| panic!("{error}: {add}"));
    assert_eq!(error["code"], 101, "{error}");
    let msg = error["msg"].as_str().expect("a message");
    assert!(msg.contains("traffic.sidecar.istio.io/includeOutboundPorts"), "{msg}");
}

/// What the plugins before it printed.
fn previous() -> Value {
    json!({ "cniVersion": "1.1.0", "ips": [{ "address": "10.99.0.2/24" }] })
}

/// Runs the plugin as a runtime does.
fn plugin(lab: &Lab, sandbox: &Sandbox, verb: &str) -> Run {
    let test = env::current_exe().expect("the path of the running test");
    let program = test.ancestors().nth(2).expect("cargo's folder").join("interceptor-cni");
    let entry = json!({
        "cniVersion": "1.1.0", "name": "k8s", "type": "interceptor-cni", "cni_agent_run_dir": lab.run_dir(),
        "request_timeout_ms": 60_000, "del_timeout_ms": 60_000, "prevResult": previous(),
        "runtimeConfig": {
            "cgroupPath": below_mount(&sandbox.cgroup),
            "io.kubernetes.cri.pod-annotations": { "sidecar.istio.io/status": "{}" },
        },
    });
    let args = format!(
        "K8S_POD_NAMESPACE=shop;K8S_POD_NAME={};K8S_POD_UID={}",
        sandbox.name, sandbox.uid
    );
    let mut command = Command::new(program);
    command.env_clear();
    command.env("CNI_COMMAND", verb).env("CNI_CONTAINERID", &sandbox.id);
    command
        .env("CNI_IFNAME", "eth0")
        .env("CNI_NETNS", &sandbox.netns)
        .env("CNI_ARGS", args);
    Run::with_input(command, &entry.to_string())
}

/// The path of a cgroup as a runtime knows it: below the root, which alone has no such file.
fn below_mount(cgroup: &Path) -> String {
    let all = cgroup
        .ancestors()
        .take_while(|directory| directory.join("cgroup.events").exists());
    let mount = all.last().and_then(Path::parent).expect("a cgroup below the root");
    let below = cgroup.strip_prefix(mount).expect("it is below the mount");
    format!("/{}", below.display())
}
