// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Starts programs in which another thread interrupts all system calls. Never interrupts the test itself.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// Set in the process that is interrupted.
const INTERRUPTED: &str = "IS_INTERRUPTED";

/// A library that interrupts the program that loads it.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join(format!("interrupt-{}.so", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interrupted/interrupt.c");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-Wall", "-Werror", "-shared", "-fPIC", "-pthread", "-o"])
        .arg(&made)
        .arg(source);
    let status = compiler.status().unwrap_or_else(|error| panic!("start {compiler:?}: {error}"));
    assert!(status.success(), "{compiler:?}: {status}");
    // Another run of the tests may use the file of this name.
    let library = folder.join("interrupt.so");
    fs::rename(&made, &library).unwrap_or_else(|error| panic!("rename {}: {error}", made.display()));
    library
});

/// Makes `command` start an interrupted program.
pub(crate) fn interrupted(mut command: Command) -> Command {
    command.env("LD_PRELOAD", LIBRARY.as_path());
    command
}

/// Runs `body` in another process, which is interrupted: this test binary again, with the test `name` alone.
pub(crate) fn in_interrupted_process(name: &str, body: impl FnOnce()) {
    if env::var_os(INTERRUPTED).is_some() {
        return body();
    }
    let mut command = Command::new(env::current_exe().expect("the path of this test"));
    command.args(["--exact", name, "--nocapture"]).env(INTERRUPTED, "1");
    let output = interrupted(command).output().expect("start this test again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
