// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The only place that prints: manifests to standard output or a file, everything else to standard error.

use std::{
    fmt::Display,
    fs,
    io::{self, ErrorKind, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};

/// Writes all manifests. A reader that ends first is no failure.
pub(super) fn write(file: Option<&Path>, text: &str) -> Result<()> {
    if let Some(file) = file {
        return fs::write(file, text).with_context(|| format!("Failed to write {} (--output)", file.display()));
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("Failed to write to standard output"),
    }
}

/// A line to standard error. Names in manifests may hold anything, and are shown so that they cannot move the cursor.
pub(super) fn message(kind: &str, text: &dyn Display) {
    let text: String = text.to_string().chars().map(shown).collect();
    // If standard error cannot be written, there is no place left to say so.
    let _written = writeln!(io::stderr().lock(), "interceptor: {kind}{text}");
}

fn shown(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}
