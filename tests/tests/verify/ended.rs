// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A comparison that is ended early leaves nothing.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rstest::rstest;
use testkit::{Run, cgroup2_mount_point, wait_until};

use crate::lab::{DEFAULT, command};

/// A comparison that goes on for longer than the test.
struct Working(Child);

impl Drop for Working {
    fn drop(&mut self) {
        // Both fail only when it has been waited for already.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// Started, and at work.
fn at_work() -> (Working, Vec<PathBuf>) {
    let child = command(&[DEFAULT, &["--cases", "5000", "--backend", "nft"]].concat())
        .spawn()
        .expect("start it");
    let working = Working(child);
    wait_until("the two pods are there", || !processes_of(&working.0).is_empty());
    let cgroups = cgroups_of(&working.0);
    (working, cgroups)
}

/// Cgroups of a comparison.
fn cgroups_of(child: &Child) -> Vec<PathBuf> {
    let prefix = format!("interceptor-verify-{}-", child.id());
    let all = fs::read_dir(cgroup2_mount_point())
        .expect("cgroups")
        .flatten()
        .map(|entry| entry.path());
    all.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
        .collect()
}

/// The sidecar's processes are the last ones to be started.
fn processes_of(child: &Child) -> Vec<String> {
    let container = |cgroup: PathBuf| cgroup.join("ours-v4/sidecar/cgroup.procs");
    let texts = cgroups_of(child)
        .into_iter()
        .filter_map(|cgroup| fs::read_to_string(container(cgroup)).ok());
    texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a pid")), signal).expect("send a signal");
}

#[rstest]
fn a_signal_takes_everything_away(#[values(Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP)] by: Signal) {
    let (mut working, cgroups) = at_work();
    let child = &mut working.0;
    let processes = processes_of(child);
    assert_eq!(cgroups.len(), 1);
    signal(child, by);
    let status = child.wait().expect("its end");
    assert_eq!(status.code(), Some(1));
    assert!(cgroups_of(child).is_empty());
    // The namespaces had no other processes, and no names.
    for pid in processes {
        assert!(!is_probe(&pid), "{pid} is still there");
    }
}

#[test]
fn what_a_killed_one_leaves_the_next_one_removes() {
    let (mut working, _cgroups) = at_work();
    let child = &mut working.0;
    let processes = processes_of(child);
    signal(child, Signal::SIGKILL);
    child.wait().expect("its end");
    wait_until("its processes end with it", || !processes.iter().any(|pid| is_probe(pid)));
    let next = Run::of_output(
        &command(&[DEFAULT, &["--cases", "0", "--backend", "nft"]].concat())
            .output()
            .expect("run it"),
    );
    assert_eq!(next.code, Some(0), "{next}");
    assert!(cgroups_of(child).is_empty());
}

#[test]
fn nobody_else_sees_its_mounts() {
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let (mut working, _cgroups) = at_work();
    let child = &mut working.0;
    assert!(!mounts().contains("interceptor-verify"), "{}", mounts());
    assert!(
        !Command::new("ip")
            .args(["netns", "list"])
            .output()
            .is_ok_and(|listed| { String::from_utf8_lossy(&listed.stdout).contains("interceptor-verify") })
    );
    signal(child, Signal::SIGTERM);
    child.wait().expect("its end");
}

/// Whether it is a process of a comparison; another one may have the number by now.
fn is_probe(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("probe"))
}
