// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node itself: it leaves nothing, however its test ends, and there are never two.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;
use testkit::{
    Process, cgroup2_mount_point,
    cluster::{CgroupMode, Kubernetes, Message},
    profile_directory, wait_until,
};

/// Where kubelet puts pods.
fn pods() -> PathBuf {
    cgroup2_mount_point().join("kubepods")
}

/// A test that is killed closes its end of the pipe, which is what the guard waits for: at each of these moments.
pub(crate) fn a_test_that_ends_early_leaves_nothing() {
    for last in ["Node", "containerd", "API", "Ready"] {
        let mut guard = guard();
        let node = read_until(&mut guard, last);
        let lines = guard.finish().lines;
        assert_eq!(
            lines.last().map(String::as_str),
            Some("{\"removed\":[]}"),
            "after {last}: {lines:?}"
        );
        assert_nothing_is_left(&node);
        assert!(!node.work.exists(), "{} after {last}", node.work.display());
    }
}

/// Nobody is left to remove cgroups and files then, so the next node says what to do.
pub(crate) fn a_guard_that_is_killed_takes_the_processes_along() {
    let mut guard = guard();
    let node = read_until(&mut guard, "Ready");
    guard.signal(Signal::SIGKILL);
    guard.finish();
    wait_until("the node's first process ends", || {
        !Path::new(&format!("/proc/{}", node.pid)).exists()
    });
    fs::remove_dir_all(&node.work).expect("nothing is mounted in it any more");

    let command = refusal();
    let command = command
        .split("remove it with: ")
        .nth(1)
        .expect("a command")
        .trim_end_matches(['"', '}']);
    let status = Command::new("sh").args(["-c", command]).status().expect("start sh");
    assert!(status.success(), "{command}");
    assert_nothing_is_left(&node);
}

pub(crate) fn another_kubelets_pods_are_not_touched() {
    let pod = pods().join("besteffort/pod0");
    fs::create_dir_all(&pod).expect("make a cgroup");
    let refusal = refusal();
    let is_there = pod.exists();
    for directory in pod.ancestors().take(3) {
        fs::remove_dir(directory).expect("remove a cgroup");
    }
    assert!(is_there, "the cgroup of another kubelet is gone");
    assert!(refusal.contains(&pods().display().to_string()), "{refusal}");
}

fn guard() -> Process {
    let mut command = Command::new(profile_directory().join("interceptor-cluster"));
    command.args(["guard", "--mode", &CgroupMode::Unified.to_string(), "--kubernetes"]);
    command.arg(Kubernetes::find().directory());
    Process::spawn("interceptor-cluster", &mut command)
}

struct Node {
    work: PathBuf,
    pid: u32,
}

/// Reads up to a message, or to a step of this name.
fn read_until(guard: &mut Process, last: &str) -> Node {
    let mut node = None;
    loop {
        let name = match guard.json() {
            Message::Waiting => continue,
            Message::Node { work, pid, outside: _ } => {
                node = Some(Node { work, pid });
                "Node".to_owned()
            }
            Message::Step(step) => step.done,
            Message::Ready => "Ready".to_owned(),
            other => panic!("{other:?}"),
        };
        if name == last {
            return node.expect("the node is named first");
        }
    }
}

/// What a guard says that makes no node.
fn refusal() -> String {
    let lines = guard().finish().lines;
    let failed = lines.iter().find(|line| line.contains("\"failed\""));
    failed.unwrap_or_else(|| panic!("not refused: {lines:?}")).clone()
}

fn assert_nothing_is_left(node: &Node) {
    assert!(!Path::new(&format!("/proc/{}", node.pid)).exists(), "the node's first process");
    let hierarchies = fs::read_dir("/sys/fs/cgroup").expect("list hierarchies").flatten();
    let left: Vec<_> = hierarchies
        .map(|entry| entry.path().join("kubepods"))
        .filter(|path| path.exists())
        .collect();
    assert!(left.is_empty() && !pods().exists(), "{left:?}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("read mountinfo");
    let work = node.work.display().to_string();
    assert!(!mounts.contains(&work), "{work} is mounted");
}
