// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nobody has to read what a command prints.

use std::{
    io,
    process::{Command, Output, Stdio},
};

use testkit::{Node, istio_rules::DEFAULT_FLAGS, scene::Scene};

#[test]
fn an_enrollment_is_completed_although_nobody_reads_its_log() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let run = without_reader(scene.pod.enroll_command(DEFAULT_FLAGS));
    assert_eq!((run.status.code(), run.stderr.as_slice()), (Some(0), &b""[..]), "{run:?}");
    assert_eq!(node.enrolled().len(), 1, "{:#?}", node.enrolled());
}

#[test]
fn status_ends_quietly_with_its_reader() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let name = scene.pod.namespace().path().display().to_string();
    let run = node.run(&["status"]);
    assert!(run.stdout.starts_with(&format!("Pod {name}\n")), "{run}");
    for arguments in [&["status"][..], &["status", "--output", "json"]] {
        let run = without_reader(node.command(arguments));
        assert_eq!((run.status.code(), run.stderr.as_slice()), (Some(0), &b""[..]), "{run:?}");
    }
}

/// Runs a command with a pipe whose reader has ended.
fn without_reader(mut command: Command) -> Output {
    let (_reader, writer) = io::pipe().expect("a pipe");
    command
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("run interceptor")
}
