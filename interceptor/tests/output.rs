// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A reader that ends first does not change how a command ends. An output that cannot be written is an error. No
//! command is run here that changes anything.

use std::{
    fs::File,
    io,
    process::{Command, Output, Stdio},
};

use rstest::rstest;

const RENDER: &[&str] = &["render", "iptables", "-i", "*"];
const EXPLAIN: &[&str] = &["explain", "-i", "*", "10.1.2.3:443"];
const EXPLAIN_JSON: &[&str] = &["explain", "--output", "json", "-i", "*", "10.1.2.3:443"];
const ENROLL: &[&str] = &["istio-iptables", "--skip-rule-apply", "-i", "*"];

#[rstest]
#[case::help(&["--help"])]
#[case::help_of_a_command(&["explain", "--help"])]
#[case::version(&["--version"])]
#[case::status(&["status"])]
#[case::status_json(&["status", "--output", "json"])]
#[case::check(&["check"])]
#[case::check_json(&["check", "--output", "json"])]
#[case::explain(EXPLAIN)]
#[case::explain_json(EXPLAIN_JSON)]
#[case::render(RENDER)]
#[case::log_of_an_enrollment(ENROLL)]
fn a_reader_that_ends_first_changes_nothing(#[case] arguments: &[&str]) {
    let read = run(arguments, Stdio::piped(), Stdio::piped());
    let unread = run(arguments, without_reader(), Stdio::piped());
    assert_eq!(unread.status.code(), read.status.code(), "{unread:?}");
    assert_eq!(text(&unread.stderr), text(&read.stderr));
}

#[rstest]
#[case::help(&["--help"])]
#[case::help_of_a_command(&["explain", "--help"])]
#[case::version(&["--version"])]
#[case::check(&["check"])]
#[case::check_json(&["check", "--output", "json"])]
#[case::explain(EXPLAIN)]
#[case::explain_json(EXPLAIN_JSON)]
#[case::render(RENDER)]
fn a_full_disk_is_an_error(#[case] arguments: &[&str]) {
    let run = run(arguments, full_disk(), Stdio::piped());
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert_eq!(
        text(&run.stderr),
        "interceptor: error: Failed to write to standard output: No space left on device (os error 28)\n"
    );
}

#[test]
fn an_enrollment_does_not_fail_because_its_log_cannot_be_written() {
    let run = run(ENROLL, full_disk(), Stdio::piped());
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert_eq!(
        text(&run.stderr),
        "interceptor: warning: Failed to write the log: No space left on device (os error 28)\n"
    );
}

#[rstest]
#[case::mistake_on_the_command_line(&["--no-such-flag"], 2)]
#[case::failure(&["status", "--bpffs", "/nonexistent"], 1)]
#[case::failure_of_an_enrollment(&["istio-iptables", "-p", "abc"], 1)]
fn an_error_that_nobody_reads_keeps_its_exit_status(#[case] arguments: &[&str], #[case] code: i32) {
    let run = run(arguments, without_reader(), without_reader());
    assert_eq!(run.status.code(), Some(code), "{run:?}");
}

fn run(arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interceptor"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("run interceptor")
}

/// A pipe whose reader has ended.
fn without_reader() -> Stdio {
    let (_reader, writer) = io::pipe().expect("a pipe");
    writer.into()
}

fn full_disk() -> Stdio {
    File::options().write(true).open("/dev/full").expect("open /dev/full").into()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
