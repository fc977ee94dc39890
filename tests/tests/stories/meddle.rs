// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Starts the loader in such a way that one of its system calls is meddled with (`meddle.c`). Never meddles with the
//! test itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, id},
    sync::LazyLock,
};

/// A library that meddles with the program that loads it.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    const CONTENTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/meddle.so"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (made, library) = (folder.join(format!("meddle-{}.so", id())), folder.join("meddle.so"));
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("make {}: {error}", folder.display()));
    fs::write(&made, CONTENTS).unwrap_or_else(|error| panic!("write {}: {error}", made.display()));
    // Another run of the tests may use the file of this name.
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
