// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Configurations with which pods are enrolled.

use std::{collections::BTreeMap, path::Path};

use interceptor::{
    Netns,
    records::{Record, Records, RunDirectory},
};
use testkit::{Node, Pod, scene::Scene};

use crate::lab::{Report, report};

/// Notes what the agent would note of a pod.
fn record(node: &Node, pod: &Pod<'_>, name: &str, settings: &[(&str, &str)]) {
    let netns = Netns::open(&pod.namespace().path()).expect("the namespace");
    let settings: BTreeMap<String, String> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let record = Record {
        version: Record::VERSION,
        sandbox: name.replace('/', "-"),
        interface: "eth0".to_owned(),
        pod: name.parse().expect("a name"),
        uid: None,
        netns_cookie: netns.cookie(),
        netns_inode: netns.inode(),
        netns_path: None,
        cgroup_id: 1,
        cgroup_path: None,
        settings,
        fingerprint: None,
        home: None,
        since: 1,
    };
    let run_directory = RunDirectory::create(&node.run_dir()).expect("a run directory");
    Records::create(&run_directory)
        .and_then(|records| records.write(&record))
        .expect("write the record");
}

const SETTINGS: &[(&str, &str)] = &[
    ("PROXY_UID", "1337"),
    ("PROXY_GID", "1337"),
    ("OUTBOUND_IP_RANGES_INCLUDE", "*"),
    ("INBOUND_PORTS_INCLUDE", "*"),
    ("INBOUND_PORTS_EXCLUDE", "15090,15021,15020"),
    ("DATA_PATH", "ebpf"),
    ("DUAL_STACK", "false"),
    ("DNS_SERVERS", "[],[]"),
];

fn compare(node: &Node, arguments: &[&str]) -> (testkit::Run, Report) {
    let (bpffs, run_dir) = (node.bpffs().display().to_string(), node.run_dir().display().to_string());
    let place = ["--bpffs", &bpffs, "--run-dir", &run_dir, "--cases", "20", "--backend", "nft"];
    report(&[arguments, &place].concat())
}

#[test]
fn a_pod_is_compared_with_what_it_is_enrolled_with() {
    let node = Node::new();
    let scene = Scene::new(&node, "verified");
    scene.pod.enroll(&[]);
    record(&node, &scene.pod, "shop/web-0", SETTINGS);
    let netns = scene.pod.namespace().path().display().to_string();
    for arguments in [&["--pod", "shop/web-0"], &["--netns", netns.as_str()]] {
        let (run, report) = compare(&node, arguments);
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(report.comparisons[0].pods, ["shop/web-0"]);
        let configuration = "stack=v4 -b '*' -d '15090,15021,15020' -g '1337' -i '*' -u '1337'";
        assert_eq!(report.comparisons[0].configuration, configuration);
    }
}

#[test]
fn pods_of_one_configuration_are_compared_once_and_those_without_a_record_are_named() {
    let node = Node::new();
    let scenes = ["one", "two", "three", "four"].map(|name| Scene::new(&node, name));
    for (scene, name) in scenes.iter().zip(["shop/one", "shop/two", "shop/three"]) {
        let excluded = [("OUTBOUND_IP_RANGES_EXCLUDE", "10.50.0.0/16")];
        let more: &[(&str, &str)] = if name == "shop/three" { &excluded } else { &[] };
        scene.pod.enroll(&[]);
        record(&node, &scene.pod, name, &[SETTINGS, more].concat());
    }
    scenes[3].pod.enroll(&[]);
    let (run, report) = compare(&node, &["--all"]);
    assert_eq!((run.code, report.verdict.as_str()), (Some(1), "incomplete"), "{run}");
    let mut pods: Vec<Vec<String>> = report
        .comparisons
        .iter()
        .map(|comparison| {
            let mut pods = comparison.pods.clone();
            pods.sort();
            pods
        })
        .collect();
    pods.sort();
    assert_eq!(
        pods,
        [vec!["shop/one".to_owned(), "shop/two".to_owned()], vec!["shop/three".to_owned()]]
    );
    let unknown = Netns::open(Path::new(&scenes[3].pod.namespace().path()))
        .expect("the namespace")
        .inode();
    assert_eq!(report.unknown, [format!("net:[{unknown}]")]);
    assert!(run.stdout.contains(&format!("net:[{unknown}]")), "{run}");
}

#[test]
fn a_pod_that_a_command_has_enrolled_has_to_be_given_by_its_flags() {
    let node = Node::new();
    let scene = Scene::new(&node, "by-hand");
    scene.pod.enroll(&[]);
    let bpffs = node.bpffs().display().to_string();
    let run_dir = node.run_dir().display().to_string();
    let netns = scene.pod.namespace().path().display().to_string();
    for (arguments, text) in [
        (["--netns", netns.as_str()], "give the same flags"),
        (["--pod", "shop/web-0"], "not enrolled by the agent"),
    ] {
        let output =
            crate::lab::command(&[&arguments[..], &["--bpffs", &bpffs, "--run-dir", &run_dir]].concat()).output();
        let run = testkit::Run::of_output(&output.expect("run it"));
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.contains(text), "{run}");
    }
}
