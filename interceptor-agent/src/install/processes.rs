// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a program runs.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// Whether a process that `/proc` (or another place where it is mounted) shows has been started from this file. What
/// cannot be looked at does not count.
pub(super) fn is_running(program: &Path, proc: &Path) -> bool {
    let identity = |file: Metadata| (file.dev(), file.ino());
    let Ok(program) = fs::metadata(program).map(identity) else { return false };
    let processes = fs::read_dir(proc).into_iter().flatten().flatten();
    processes.into_iter().any(|process| {
        let is_process = process.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit);
        is_process && fs::metadata(process.path().join("exe")).is_ok_and(|exe| identity(exe) == program)
    })
}
