// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CNI plugin is put on the node and kept there, by the agent and by hand.

use std::fs;

use testkit::{scene::Scene, wait_until};

use crate::{
    host::Host,
    lab::{Agent, Lab, get},
    sandbox::Sandbox,
};

fn start(lab: &Lab, host: &Host<'_>) -> Agent {
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    lab.start_with(&flags)
}

/// The value of a metric.
#[track_caller]
fn metric(agent: &Agent, name: &str) -> u64 {
    let (_, text) = get(agent.metrics, "/metrics");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("there is no {name} in\n{text}"))
}

const SUCCESSES: &str = "istio_cni_installs_total{result=\"SUCCESS\"}";

#[test]
fn the_agent_is_ready_once_the_plugin_is_part_of_the_network_of_pods() {
    let lab = Lab::new();
    let host = Host::new(&lab);
    let agent = start(&lab, &host);
    let waits = format!("no network of pods is in {} yet\n", host.net_dir().display());
    wait_until("only the network is in the way", || agent.readiness() == (503, waits.clone()));
    assert!(host.has_program());
    assert_eq!(metric(&agent, "istio_cni_install_ready"), 0);
    assert_eq!(metric(&agent, SUCCESSES), 0);

    host.write_network(&[]);
    wait_until("it is ready", || agent.readiness().0 == 200);
    let plugins = host.plugins();
    assert_eq!(plugins.len(), 3);
    assert_eq!(plugins[2]["type"], "interceptor-cni");
    assert_eq!(plugins[2]["cni_agent_run_dir"], lab.run_dir().display().to_string());
    assert_eq!(plugins[2]["plugin_log_level"], "debug");
    assert_eq!(metric(&agent, "istio_cni_install_ready"), 1);
    assert_eq!(metric(&agent, SUCCESSES), 1);
}

#[test]
fn the_plugin_comes_back_and_whoever_takes_it_out_again_and_again_is_named() {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    let agent = start(&lab, &host);
    wait_until("it is ready", || agent.readiness().0 == 200);
    host.write_network(&["bandwidth"]);
    wait_until("the entry is back", || host.has_entry());
    assert_eq!(host.plugins()[2]["type"], "bandwidth", "what others write is kept");
    fs::remove_file(host.bin_dir().join("interceptor-cni")).expect("remove the program");
    wait_until("the program is back", || host.has_program());

    wait_until("it waits before it puts the entry back", || {
        if host.has_entry() {
            host.write_network(&[]);
        }
        metric(&agent, "interceptor_install_conflicts_total") > 0
    });
    let (status, text) = agent.readiness();
    assert!(status == 503 && text.contains("cni.exclusive=false"), "{status} {text}");
    wait_until("the entry is back, and stays", || agent.readiness().0 == 200);
    assert!(host.has_entry());
}

#[test]
fn what_is_in_the_way_of_the_plugin_is_named_until_it_is_gone() {
    let lab = Lab::new();
    let host = Host::new(&lab);
    host.write_network(&["istio-cni"]);
    let agent = start(&lab, &host);
    wait_until("istio-cni is in the way", || {
        agent.readiness().1.contains("has an entry istio-cni")
    });
    assert!(!host.has_entry());
    assert!(metric(&agent, "istio_cni_installs_total{result=\"CREATE_CNI_CONFIG_FAILURE\"}") > 0);

    fs::remove_file(host.source()).expect("remove the program to be copied");
    host.write_network(&[]);
    let path = host.source().display().to_string();
    wait_until("the program is missing", || agent.readiness().1.contains(&path));
    assert!(!host.has_entry(), "an entry without its program would fail all pods");
    assert!(metric(&agent, "istio_cni_installs_total{result=\"COPY_BINARIES_FAILURE\"}") > 0);

    host.put_source();
    wait_until("it is ready", || agent.readiness().0 == 200);
    assert!(host.has_entry() && host.has_program());
}

#[test]
fn an_agent_that_is_killed_leaves_the_plugin_and_the_next_one_changes_nothing() {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    let agent = start(&lab, &host);
    wait_until("it is ready", || agent.readiness().0 == 200);
    agent.kill();
    assert!(host.has_entry() && host.has_program());
    let agent = start(&lab, &host);
    wait_until("it is ready", || agent.readiness().0 == 200);
    assert_eq!(metric(&agent, SUCCESSES), 0, "nothing was to be done");
}

#[test]
fn the_plugin_is_put_on_a_node_and_taken_off_by_hand() {
    let lab = Lab::new();
    let host = Host::new(&lab);
    let place = host.place();
    let place = [place[0].as_str(), place[1].as_str()];
    let program = format!("--cni-plugin={}", host.source().display());
    let install = [&place[..], &[&program]].concat();
    let early = host.run("install", &install, &[]);
    assert_eq!(early.code, Some(1));
    assert!(early.stdout.contains("has no network of pods yet"), "{early}");

    host.write_network(&[]);
    host.run("install", &install, &[]).expect_success();
    assert!(host.has_entry() && host.has_program());
    host.run("install", &install, &[]).expect_success();
    assert_eq!(host.plugins().len(), 3);

    let agent = lab.start();
    let refused = host.run("uninstall", &place, &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.contains("An agent runs with"), "{refused}");
    assert!(host.has_entry());
    agent.kill();
    host.run("uninstall", &place, &[]).expect_success();
    assert!(!host.has_entry() && !host.has_program() && !lab.socket().exists());
    host.run("uninstall", &place, &[]).expect_success();
}

#[test]
fn a_purge_ends_the_interception_of_pods_and_an_uninstallation_does_not() {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start();
    lab.expect_enrolled(&sandbox);
    agent.kill();
    let place = host.place();
    let place = [place[0].as_str(), place[1].as_str()];
    host.run("uninstall", &place, &[]).expect_success();
    assert_eq!((lab.enrollments().len(), lab.records().len()), (1, 1));
    let bpffs = format!("--bpffs={}", lab.node.bpffs().display());
    host.run("uninstall", &[&place[..], &["--purge", &bpffs]].concat(), &[])
        .expect_success();
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
}

#[test]
fn variables_of_istios_agent_are_understood() {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    let [net_dir, bin_dir] = [host.net_dir(), host.bin_dir()].map(|path| path.display().to_string());
    let program = format!("--cni-plugin={}", host.source().display());
    let variables = [
        ("MOUNTED_CNI_NET_DIR", net_dir.as_str()),
        ("MOUNTED_CNI_BIN_DIR", &bin_dir),
        ("CHAINED_CNI_PLUGIN", "true"),
        ("CNI_CONF_NAME", ""),
        ("ISTIO_OWNED_CNI_CONFIG", "true"),
        ("ISTIO_OWNED_CNI_CONF_FILENAME", "01-mesh.conflist"),
        ("EXCLUDE_NAMESPACES", "kube-system,istio-system"),
        ("POD_NAMESPACE", "istio-system"),
        ("CNI_AGENT_RUN_DIR", "/var/run/istio-cni"),
        ("LOG_LEVEL", "warn"),
        ("AMBIENT_ENABLED", "false"),
        ("NATIVE_NFTABLES", "false"),
        ("KUBECONFIG_MODE", "0600"),
    ];
    let installed = host.run("install", &["--log_output_level=info", &program], &variables);
    installed.expect_success();
    assert!(installed.stdout.contains("KUBECONFIG_MODE NATIVE_NFTABLES"), "{installed}");
    let entry = &host.plugins_of("01-mesh.conflist")[2];
    assert_eq!(entry["exclude_namespaces"], serde_json::json!(["kube-system", "istio-system"]));
    assert_eq!(entry["pod_namespace"], "istio-system");
    assert_eq!(entry["cni_agent_run_dir"], "/var/run/istio-cni");
    assert_eq!(entry["plugin_log_level"], "warn");
    assert!(!host.has_entry(), "the network's own list is left alone");

    let ambient = host.run("install", &[], &[&variables[..], &[("AMBIENT_ENABLED", "true")]].concat());
    assert_eq!(ambient.code, Some(1));
    assert!(ambient.stdout.contains("AMBIENT_ENABLED"), "{ambient}");
}
