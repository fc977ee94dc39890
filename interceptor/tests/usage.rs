// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a mistake is answered with: an exit status that depends on the name of the command, and a text that says what
//! to write instead. No command is run here that changes anything.

use std::process::Command;

use rstest::rstest;

#[rstest]
#[case::unknown_flag(&["explain", "--no-such-flag"], 2, "--no-such-flag")]
#[case::unknown_flag_of_istio(&["istio-iptables", "--no-such-flag"], 255, "--no-such-flag")]
#[case::unknown_flag_of_istios_cleaning(&["istio-clean-iptables", "--no-such-flag"], 255, "--no-such-flag")]
#[case::misspelled_command(&["enrol"], 2, "'enroll'")]
#[case::no_command(&[], 2, "Usage: interceptor <COMMAND>")]
#[case::destination_without_port(
    &["explain", "10.1.2.3"], 2, "write ADDRESS:PORT, such as 10.1.2.3:443 or [2001:db8::1]:443"
)]
#[case::value_of_a_switch(
    &["enroll", "--dry-run", "false"], 2, "tip: write `--dry-run=false`: a switch takes its value after `=`, as in Go"
)]
#[case::value_of_a_switch_of_istio(&["pod", "-n", "true"], 255, "tip: write `-n=true`")]
#[case::value_of_no_switch(&["status", "--bpffs", "/", "false"], 2, "unexpected argument 'false' found")]
#[case::no_bpffs(
    &["status", "--bpffs", "/nonexistent"], 1, "name a mounted BPF file system with --bpffs; the default is /sys/fs/bpf"
)]
#[case::pod_without_namespace(&["status", "--pod", "web-0"], 2, "write NAMESPACE/NAME, such as default/web-0")]
#[case::pod_and_netns(&["unenroll", "--pod", "a/b", "--netns", "/x"], 2, "cannot be used with")]
#[case::output_as_ports(&["explain", "-o", "json", "10.1.2.3:443"], 64, "for output use -O json")]
#[case::refused_configuration(&["render", "iptables", "-i", "10.0.0.0"], 64, "10.0.0.0/32")]
#[case::refused_configuration_of_a_pod(&["enroll", "-i", "10.0.0.0"], 64, "10.0.0.0/32")]
#[case::refused_configuration_under_istios_name(&["istio-iptables", "-i", "10.0.0.0"], 1, "10.0.0.0/32")]
fn a_mistake_has_an_exit_status_and_an_answer(#[case] arguments: &[&str], #[case] code: i32, #[case] answer: &str) {
    let run = Command::new(env!("CARGO_BIN_EXE_interceptor"))
        .args(arguments)
        .output()
        .expect("run interceptor");
    assert_eq!(run.status.code(), Some(code), "{run:?}");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(stderr.contains(answer), "{stderr}");
}
