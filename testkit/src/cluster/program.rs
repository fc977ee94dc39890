// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs of this machine, made ready for an image.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::interceptor::Run;

/// What a program is linked with, the loader too; nothing when it is static. Panics when a library is missing.
pub(super) fn libraries(program: &Path) -> Vec<PathBuf> {
    let run = Run::of_line(&["ldd", &program.display().to_string()]);
    if run.output().contains("not a dynamic executable") || run.output().contains("statically linked") {
        return Vec::new();
    }
    run.expect_success();
    assert!(!run.stdout.contains("not found"), "{run}");
    listed(&run.stdout)
}

/// `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`, `linux-vdso.so.1 (0x…)`
fn listed(output: &str) -> Vec<PathBuf> {
    let words = output
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    words.map(PathBuf::from).collect()
}

/// A copy beside `beside` without debugging information, which is most of a debug build. The file itself where there
/// is none.
pub(super) fn stripped(file: &Path, beside: &Path) -> io::Result<PathBuf> {
    const SMALL: u64 = 8 * 1024 * 1024;
    if file.metadata()?.len() < SMALL {
        return Ok(file.to_owned());
    }
    let copy = beside.with_extension("stripped");
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg("-o").arg(&copy).arg(file);
    Run::attempt(strip, "").and_then(Run::successful).map_err(io::Error::other)?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_the_paths() {
        let output = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\t/lib64/ld.so.2 (0x3)\n";
        assert_eq!(listed(output), ["/lib/libc.so.6", "/lib64/ld.so.2"].map(PathBuf::from));
    }
}
