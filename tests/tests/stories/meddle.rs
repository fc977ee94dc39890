// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Starts the loader in such a way that one of its system calls is meddled with (`meddle.c`). Never meddles with the
//! test itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// A library that meddles with the program that loads it.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join(format!("meddle-{}.so", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/meddle.c");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(&made)
        .arg(source);
    let status = compiler.status().unwrap_or_else(|error| panic!("start {compiler:?}: {error}"));
    assert!(status.success(), "{compiler:?}: {status}");
    // Another run of the tests may use the file of this name.
    let library = folder.join("meddle.so");
    fs::rename(&made, &library).unwrap_or_else(|error| panic!("rename {}: {error}", made.display()));
    library
});

/// Interrupts `command` as signals may, again and again.
pub(crate) fn interrupt(mut command: Command) -> Command {
    command.env("LD_PRELOAD", LIBRARY.as_path()).env("MEDDLE_INTERRUPT", "1");
    command
}

/// Refuses `membarrier()` to `command`, as the kernel does on machines where processors run without a tick
/// (`nohz_full`).
pub(crate) fn refuse_membarrier(mut command: Command) -> Command {
    command.env("LD_PRELOAD", LIBRARY.as_path()).env("MEDDLE_MEMBARRIER", "1");
    command
}

/// Makes `command` wait before it writes the entry of a pod: it makes the file `waits` in `directory`, and goes on once
/// there is a file `goes-on`.
pub(crate) fn pause_before_enforcing(mut command: Command, directory: &Path) -> Command {
    command.env("LD_PRELOAD", LIBRARY.as_path()).env("MEDDLE_PAUSE", directory);
    command
}
