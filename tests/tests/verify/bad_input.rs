// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What cannot be compared is said, with what to do about it.

use std::{os::unix::process::CommandExt as _, process::Command};

use rstest::rstest;
use testkit::Run;

use crate::lab::{DEFAULT, command, program};

fn run(mut command: Command) -> Run {
    Run::of_output(&command.output().expect("run the program"))
}

#[rstest]
#[case::ip("", "install the package `iproute2`")]
#[case::iptables("ip", "install the package `iptables`")]
fn a_program_that_is_missing_is_named_with_its_package(#[case] there: &str, #[case] text: &str) {
    let folder = tempfile::tempdir().expect("a directory");
    if !there.is_empty() {
        std::os::unix::fs::symlink(testkit::programs::find(there), folder.path().join(there)).expect("a link");
    }
    let mut command = command(DEFAULT);
    command.env("PATH", folder.path());
    let run = run(command);
    assert_eq!(run.code, Some(69), "{run}");
    assert!(run.stderr.contains(text), "{run}");
}

#[test]
fn who_is_not_root_is_told_so() {
    let mut command = Command::new(program());
    // From where every user may run it, and with a loader that any user may ask for its version.
    let node = testkit::Node::new();
    let loader = node.interceptor().display().to_string();
    let verify = node.bring(&program(), "interceptor-verify");
    command = {
        let mut as_user = Command::new(verify);
        as_user.args(DEFAULT).args(["--interceptor", &loader]).uid(1000).gid(1000);
        drop(command);
        as_user
    };
    let run = run(command);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("needs root") && run.stderr.contains("privileged"), "{run}");
}

#[rstest]
#[case::configuration(&["-b", "http s"], 64, "istio-inbound-ports")]
#[case::report(&["--report", "report.pdf"], 2, ".json, .html or .md")]
#[case::directory(&["--report", "/nowhere-at-all/report.md"], 2, "/nowhere-at-all")]
#[case::rules(&["--data-path", "iptables"], 2, "--data-path")]
#[case::pod_name(&["--pod", "web"], 2, "NAMESPACE/NAME")]
#[case::netns(&["--netns", "/run/netns/nowhere-at-all"], 1, "/run/netns/nowhere-at-all")]
#[case::both(&["--all", "-u", "1337"], 1, "cannot be combined")]
#[case::stack(&["--stack", "both"], 2, "--dual-stack")]
#[case::device(&["--redirect-dns", "--resolv-conf", "/dev/null"], 64, "it is a device, not a regular file")]
#[case::loader(&["--interceptor", "/bin/true"], 1, "put both of one release")]
fn bad_input_is_named(#[case] arguments: &[&str], #[case] code: i32, #[case] text: &str) {
    let run = run(command(arguments));
    assert_eq!(run.code, Some(code), "{run}");
    assert!(run.stderr.contains(text), "{run}");
}
