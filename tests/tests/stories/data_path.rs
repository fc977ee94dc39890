// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--data-path`: rules of iptables in place of kernel programs. That connections have the outcome that they have
//! under Istio's own rules is in the suite `rows`, backend `rules`.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use rstest::rstest;
use serde_json::Value;
use testkit::{
    Node, Pod, Run,
    istio_rules::{DEFAULT_FLAGS, DEFAULT_RULES},
    scene::{Outcome, Scene, Stack, sidecar_flags},
    without_btf,
};

/// A rule of somebody else.
const FOREIGN: &str = "*nat\n-A OUTPUT -d 192.0.2.7/32 -j RETURN\nCOMMIT\n";

#[rstest]
fn rules_are_in_force_until_the_pod_is_unenrolled_and_leave_nothing(
    #[values("legacy", "nft")] binary: &str,
    #[values("REDIRECT", "TPROXY")] mode: &str,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let _servers = scene.serve(8081);
    let redirect = mode == "REDIRECT";
    let _sidecar = if redirect {
        scene.sidecar(&[])
    } else {
        let flags = [&["--keep-client", "1337"], sidecar_flags(scene.stack)].concat();
        scene.pod.proxy_as(0, 1337).sidecar(&flags)
    };
    let program = format!("iptables-{binary}-restore");
    let mut foreign = scene.pod.namespace().root().command(&program);
    foreign.arg("--noflush");
    Run::with_input(foreign, FOREIGN).expect_success();
    let before = rules(&scene.pod);
    assert_eq!(scene.outbound(), Outcome::Direct);

    let flags = ["--force-iptables-binary", binary, "-m", mode, "--dual-stack", "--redirect-dns", "--capture-all-dns"];
    scene.pod.write_rules(&flags);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    if redirect {
        assert_eq!(scene.inbound(), Outcome::ThroughSidecar);
    }
    let written = rules(&scene.pod);
    assert!(
        written
            .iter()
            .all(|line| line.starts_with(&format!("iptables-{binary}"))
                || line.starts_with(&format!("ip6tables-{binary}"))),
        "{written:#?}"
    );

    scene.pod.clean();
    assert_eq!(scene.outbound(), Outcome::Direct);
    assert_eq!(scene.inbound(), Outcome::Direct);
    assert_eq!(rules(&scene.pod), before);
}

#[test]
fn a_second_run_changes_nothing_and_other_flags_replace_the_rules() {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let first = scene.pod.try_write_rules(DEFAULT_FLAGS);
    assert!(first.output().contains("The pod has rules of iptables"), "{first}");
    let written = rules(&scene.pod);
    let again = scene.pod.try_write_rules(DEFAULT_FLAGS);
    again.expect_success();
    assert!(again.output().contains("nothing to do"), "{again}");
    assert_eq!(rules(&scene.pod), written);

    // Another table, and another family.
    scene
        .pod
        .write_rules(&["--dual-stack", "--redirect-dns", "--capture-all-dns", "-b", "8080", "-o", "9000"]);
    let both = rules(&scene.pod);
    assert!(
        both.iter()
            .any(|line| line.starts_with("ip6tables") && line.contains("--dport 9000")),
        "{both:#?}"
    );
    assert!(both.iter().any(|line| line.contains("raw:")), "{both:#?}");
    scene.pod.write_rules(&[]);
    assert_eq!(rules(&scene.pod), written);
}

/// What a broken ip6tables does with the rules before it fails.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Nothing,
    WritesThem,
}

#[rstest]
fn if_the_rules_of_one_family_cannot_be_written_those_of_the_other_are_taken_back(
    #[values("legacy", "nft")] binary: &str,
    #[values(Broken::Nothing, Broken::WritesThem)] broken: Broken,
    #[values(false, true)] has_rules_already: bool,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let forced = ["--dual-stack", "--force-iptables-binary", binary];
    if has_rules_already {
        scene.pod.write_rules(&[&forced[..], &["-b", "8080"]].concat());
    }
    let before = rules(&scene.pod);
    let instead = match broken {
        Broken::Nothing => ":",
        Broken::WritesThem => "printf '%s\\n' \"$rules\" | $real \"$@\"",
    };
    let path = with_broken_ip6tables(&node, binary, &format!("{instead}; echo out of order >&2; exit 4"));
    let failed = run_with_path(&scene.pod, &path, &forced);
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(failed.output().contains("out of order"), "{failed}");
    assert_eq!(rules(&scene.pod), before);

    scene.pod.write_rules(&forced);
    scene.pod.clean();
    assert_eq!(rules(&scene.pod), [""; 0]);
}

#[rstest]
fn what_a_killed_run_left_is_completed_or_removed_by_the_next(
    #[values("legacy", "nft")] binary: &str,
    #[values(false, true)] complete: bool,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let forced = ["--dual-stack", "--force-iptables-binary", binary];
    let path = with_broken_ip6tables(&node, binary, "kill -9 $PPID");
    let killed = run_with_path(&scene.pod, &path, &forced);
    assert_eq!(killed.code, None, "{killed}");
    let left = rules(&scene.pod);
    assert!(left.iter().any(|line| line.starts_with("iptables")), "{left:#?}");
    assert!(!left.iter().any(|line| line.starts_with("ip6tables")), "{left:#?}");
    if complete {
        scene.pod.write_rules(&forced);
        let written = rules(&scene.pod);
        assert!(written.iter().any(|line| line.starts_with("ip6tables")), "{written:#?}");
    }
    scene.pod.clean();
    assert_eq!(rules(&scene.pod), [""; 0]);
}

#[test]
fn a_pod_has_one_data_path() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let refused = scene.pod.try_write_rules(DEFAULT_FLAGS);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.output().contains("is intercepted by eBPF already"), "{refused}");
    scene.pod.clean();

    scene.pod.write_rules(&[]);
    let refused = scene.pod.try_enroll(DEFAULT_FLAGS);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.output().contains("is intercepted by iptables already"), "{refused}");
    assert!(node.enrolled().is_empty());
    let other = if rules(&scene.pod)[0].contains("legacy") { "nft" } else { "legacy" };
    let refused = scene.pod.try_write_rules(&["--force-iptables-binary", other]);
    assert!(refused.output().contains("by the other iptables already"), "{refused}");
}

#[rstest]
fn rules_that_istio_wrote_are_left_alone(#[values("legacy", "nft")] binary: &str) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let mut istio = scene.pod.namespace().root().command(&format!("iptables-{binary}-restore"));
    istio.arg("--noflush");
    Run::with_input(istio, DEFAULT_RULES).expect_success();
    let theirs = rules(&scene.pod);
    let refused = scene.pod.try_write_rules(DEFAULT_FLAGS);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.output().contains("has Istio's own rules already"), "{refused}");
    scene.pod.clean();
    assert_eq!(rules(&scene.pod), theirs);
}

#[test]
fn auto_takes_rules_only_where_the_kernel_lacks_something_and_says_what() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let run_dir = node.run_dir().display().to_string();
    let auto = [DEFAULT_FLAGS, &["--data-path", "auto", "--run-dir", &run_dir]].concat();
    scene.pod.try_enroll(&auto).expect_success();
    assert_eq!((node.enrolled().len(), rules(&scene.pod)), (1, Vec::new()));
    scene.pod.clean();

    let without_btf = Run::of(without_btf(&scene.pod.enroll_command(&auto)));
    without_btf.expect_success();
    let said = without_btf.output();
    assert!(
        said.contains("lacks what kernel programs need") && said.contains("btf/vmlinux"),
        "{said}"
    );
    assert!(node.enrolled().is_empty() && !rules(&scene.pod).is_empty());
}

#[test]
fn status_shows_pods_with_rules_and_all_of_them_can_be_ended_at_once() {
    let node = Node::new();
    let [one, other] = ["one", "other"].map(|name| Scene::new(&node, name));
    one.pod.write_rules(&[]);
    other.pod.enroll(&[]);
    let run_dir = node.run_dir().display().to_string();
    let status = |format: &str| node.run(&["status", "--run-dir", &run_dir, "--output", format]);
    let pods: Vec<Value> = status("json").json();
    let seen: Vec<_> = pods
        .iter()
        .map(|pod| (pod["data_path"].as_str(), pod["netns"].as_str()))
        .collect();
    let [one_path, other_path] = [&one, &other].map(|scene| scene.pod.namespace().path().display().to_string());
    assert_eq!(
        seen,
        [(Some("ebpf"), Some(other_path.as_str())), (Some("iptables"), Some(one_path.as_str()))]
    );
    let text = status("text").output();
    assert!(text.contains("data path    iptables, not eBPF"), "{text}");

    node.run(&["unenroll", "--all", "--run-dir", &run_dir]).expect_success();
    assert!(status("text").output().contains("No pod is enrolled"));
    assert_eq!(rules(&one.pod), [""; 0]);
}

#[test]
fn a_dry_run_prints_the_rules_and_writes_none() {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let dry = scene
        .pod
        .try_write_rules(&[DEFAULT_FLAGS, &["--dual-stack", "--dry-run"]].concat());
    dry.expect_success();
    for line in ["by iptables-restore:", "by ip6tables-restore:", "-A ISTIO_OUTPUT -o lo -s ::6/128 -j RETURN"] {
        assert!(dry.stdout.contains(line), "{line}: {dry}");
    }
    assert_eq!(rules(&scene.pod), [""; 0]);
}

#[test]
fn the_name_of_an_interface_never_becomes_another_rule() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    for name in ["a -j DROP", "a\nCOMMIT", "-j", "a\"b"] {
        let refused = scene.pod.try_write_rules(&[DEFAULT_FLAGS, &["-c", name]].concat());
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.output().contains("--istio-exclude-interfaces"), "{refused}");
    }
    assert_eq!(rules(&scene.pod), [""; 0]);
}

/// All rules and chains of a pod, whoever wrote them, with program and table. Empty tables are left out, because
/// nobody can remove them.
fn rules(pod: &Pod<'_>) -> Vec<String> {
    let mut rules = Vec::new();
    for program in ["iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft"] {
        let saved = Run::of(pod.namespace().root().command(&format!("{program}-save")));
        saved.expect_success();
        let mut table = "";
        for line in saved.stdout.lines() {
            if let Some(name) = line.strip_prefix('*') {
                table = name;
            } else if line.starts_with('-') {
                rules.push(format!("{program} {table}: {line}"));
            } else if line.starts_with(':') && line.contains(" - [") {
                let chain = line.split(' ').next().expect("a chain");
                rules.push(format!("{program} {table}: {chain}"));
            }
        }
    }
    rules
}

/// A value for `PATH` with an ip6tables that does `instead` for new rules of Istio. It is called with the rules in
/// `$rules`, and the real program is `$real`.
fn with_broken_ip6tables(node: &Node, binary: &str, instead: &str) -> String {
    let name = format!("ip6tables-{binary}-restore");
    let real = Run::of_line(&["sh", "-c", &format!("command -v {name}")]).stdout;
    let directory = node.work().join("broken");
    fs::create_dir(&directory).expect("a directory for programs");
    let script = format!(
        "#!/bin/sh\nreal={real}\nrules=$(cat)\ncase $rules in\n*'-N ISTIO_OUTPUT'*) {instead} ;;\n\
         *) printf '%s\\n' \"$rules\" | $real \"$@\" ;;\nesac\n"
    );
    let program = directory.join(name);
    fs::write(&program, script).expect("write a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("make it one");
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", directory.display())
}

fn run_with_path(pod: &Pod<'_>, path: &str, flags: &[&str]) -> Run {
    let run_dir = pod.node().run_dir().display().to_string();
    let rules = ["--data-path", "iptables", "--run-dir", &run_dir];
    let mut command: Command = pod.enroll_command(&[DEFAULT_FLAGS, &rules, flags].concat());
    command.env("PATH", path);
    Run::of(command)
}
