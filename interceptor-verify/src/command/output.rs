// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The only place here that prints: results to standard output, everything else to standard error.

use std::io::{self, ErrorKind, Write as _};

use anyhow::{Context as _, Result};

/// A warning goes to standard error, so that it does not become a part of the result.
pub(super) fn warn(text: &str) {
    message("warning", text);
}

/// The whole chain of causes, in one line.
pub(super) fn error(error: &anyhow::Error) {
    message("error", &format!("{error:#}"));
}

fn message(kind: &str, text: &str) {
    // If standard error cannot be written, there is no place left to say so.
    let _written = writeln!(io::stderr().lock(), "interceptor: {kind}: {text}");
}

/// A reader that ends first is no failure.
pub(super) fn text(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("Failed to write to standard output"),
    }
}
