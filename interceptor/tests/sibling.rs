// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands that are programs of their own: found beside this program, and only of its version.

use std::{fs, path::Path, process::Command};

use rstest::rstest;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What glibc's allocator reads.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// `interceptor COMMAND --some-flag`, started in `folder`.
fn run(folder: &Path, command: &str) -> (Option<i32>, String) {
    run_words(folder, &[command])
}

/// The same of a command of several words.
fn run_words(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    run_exactly(folder, &[words, &["--some-flag"]].concat())
}

fn run_exactly(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    run_with(folder, words, None)
}

/// The same with a setting of the allocator.
fn run_with(folder: &Path, words: &[&str], tunables: Option<&str>) -> (Option<i32>, String) {
    let program = folder.join("interceptor");
    let own = env!("CARGO_BIN_EXE_interceptor");
    fs::hard_link(own, &program)
        .or_else(|_other_disk| fs::copy(own, &program).map(drop))
        .expect("a second name");
    let mut command = Command::new(&program);
    command.env_remove(TUNABLES).args(words);
    let run = command
        .envs(tunables.map(|tunables| (TUNABLES, tunables)))
        .output()
        .expect("run interceptor");
    (
        run.status.code(),
        String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned(),
    )
}

/// A program that says `says` when it is asked for its version, and otherwise its arguments.
fn make(folder: &Path, name: &str, says: &str) {
    make_saying(folder, name, says, "arguments: $*");
}

/// The same that says something else otherwise. Another process writes it: what this one has open for writing, no
/// process can run.
fn make_saying(folder: &Path, name: &str, version: &str, otherwise: &str) {
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo '{version}' || echo \"{otherwise}\"");
    let write = "printf '%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let path = folder.join(name);
    let status = Command::new("sh")
        .arg("-c")
        .arg(write)
        .arg(&path)
        .arg(script)
        .status()
        .expect("run sh");
    assert!(status.success());
}

#[rstest]
#[case("agent")]
#[case("inject")]
#[case("verify")]
#[case("webhook")]
fn the_program_gets_the_arguments(#[case] command: &str) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let name = format!("interceptor-{command}");
    make(folder.path(), &name, &format!("{name} {VERSION}"));
    assert_eq!(run(folder.path(), command), (Some(0), "arguments: --some-flag\n".to_owned()));
}

#[rstest]
#[case::by_default(None, "glibc.malloc.mmap_threshold=131072")]
#[case::unless_told_otherwise(Some("glibc.malloc.arena_max=1"), "glibc.malloc.arena_max=1")]
fn the_program_gives_freed_memory_back(#[case] set: Option<&str>, #[case] expected: &str) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let version = format!("interceptor-agent {VERSION}");
    make_saying(folder.path(), "interceptor-agent", &version, "$GLIBC_TUNABLES");
    assert_eq!(run_with(folder.path(), &["agent"], set), (Some(0), format!("{expected}\n")));
}

#[rstest]
#[case("webhook")]
#[case("istio-values")]
fn what_is_rendered_for_injection_is_the_webhooks_work(#[case] tool: &str) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    make(folder.path(), "interceptor-webhook", &format!("interceptor-webhook {VERSION}"));
    let expected = format!("arguments: render {tool} --some-flag\n");
    assert_eq!(run_words(folder.path(), &["render", tool]), (Some(0), expected));
}

#[test]
fn the_manual_page_has_the_help_of_the_program() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    make(folder.path(), "interceptor-webhook", &format!("interceptor-webhook {VERSION}"));
    let (code, output) = run_exactly(folder.path(), &["man", &folder.path().display().to_string()]);
    assert_eq!(code, Some(0), "{output}");
    let page = |name: &str| fs::read_to_string(folder.path().join(format!("{name}.1"))).expect("a page");
    assert!(page("interceptor-webhook").contains("\n\\&arguments: \\-\\-help\n"));
    assert!(page("interceptor-render-webhook").contains("\n\\&arguments: render webhook \\-\\-help\n"));
    // That program is not there.
    assert!(!page("interceptor-agent").contains(".SH HELP"));
}

#[rstest]
#[case::another_version("interceptor-agent 0.0.9", "is of version 0.0.9, and this program of version")]
#[case::another_program("nginx 0.1.0", "does not say its version")]
#[case::nothing("", "does not say its version")]
fn a_program_of_another_version_is_not_started(#[case] says: &str, #[case] error: &str) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    make(folder.path(), "interceptor-agent", says);
    let (code, output) = run(folder.path(), "agent");
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains(error) && !output.contains("arguments:"), "{output}");
}

#[test]
fn where_the_program_is_missing_it_is_said_where_to_get_it() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (code, output) = run(folder.path(), "agent");
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("interceptor-agent is missing") && output.contains("cargo build --release"),
        "{output}"
    );
}
