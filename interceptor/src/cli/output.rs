// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The only place that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this file is for"
)]

use std::fmt::Display;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;

/// How a command that reads shows what it has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

pub(super) fn text(text: impl Display) {
    println!("{text}");
}

pub(super) fn json(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("Failed to write JSON")?);
    Ok(())
}

/// Beside what is printed, so that it does not become part of it.
pub(super) fn warning(text: &str) {
    eprintln!("interceptor: warning: {text}");
}

/// The whole chain of causes, in one line.
pub(super) fn error(error: &anyhow::Error) {
    eprintln!("interceptor: error: {error:#}");
}

/// What to do about an error, after it.
pub(super) fn advice(text: &str) {
    eprintln!("interceptor: advice: {text}");
}
