// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The only place that prints: results to standard output, everything else to standard error.
//!
//! A reader that ends first (`interceptor status | head -1`) is no failure, as in ripgrep: the rest of the output is
//! dropped, the command goes on, and its exit status is the one that it would have had. Any other write error, such
//! as a full disk, is an error. Nothing here ends the process.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write as _},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;

/// How a command that reads shows what it has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Prints a line, or several.
pub(super) fn text(text: impl Display) -> Result<()> {
    written(write_line(&text))
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    text(serde_json::to_string_pretty(value).context("Failed to write JSON")?)
}

/// Prints a line for a command that has no other end than its reader's. Returns whether there still is a reader.
pub(super) fn stream(text: impl Display) -> Result<bool> {
    let result = write_line(&text);
    let has_reader = !result.as_ref().is_err_and(is_reader_gone);
    written(result).map(|()| has_reader)
}

/// Judges an attempt to write to standard output: a reader that has ended is no failure.
pub(super) fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if is_reader_gone(&error) => Ok(()),
        result => result.context("Failed to write to standard output"),
    }
}

/// A warning goes to standard error, so that it does not become a part of the result.
pub(super) fn warning(text: impl Display) {
    message("warning", &text);
}

/// What happens, for people; not a part of the result.
pub(super) fn note(text: impl Display) {
    message("note", &text);
}

/// The whole chain of causes, in one line.
pub(super) fn error(error: &anyhow::Error) {
    message("error", &format_args!("{error:#}"));
}

/// What to do about an error.
pub(super) fn advice(text: impl Display) {
    message("advice", &text);
}

fn message(kind: &str, text: &dyn Display) {
    // If standard error cannot be written, there is no place left to say so.
    let _written = writeln!(io::stderr().lock(), "interceptor: {kind}: {text}");
}

fn write_line(text: &dyn Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// The Rust runtime ignores `SIGPIPE`, so the end of a pipe's reader is an ordinary error.
fn is_reader_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}
