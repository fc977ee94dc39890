// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The log of `interceptor enroll`, with the flags of `pilot-agent`. The log never decides how a command ends: an
//! enrollment is completed although nobody can read about it.

use std::{
    io::{self, ErrorKind, Write},
    sync::Once,
};

use tracing_subscriber::{EnvFilter, fmt::writer::BoxMakeWriter};

use super::output;
use interceptor_config::{Flags, Setting};

/// Starts logging as the flags of `pilot-agent` ask for. The default is standard output, from level info on.
pub(super) fn start(flags: &Flags) {
    let writer = match flags.get(Setting::LogTarget) {
        Some("stderr") => BoxMakeWriter::new(|| Lossy(io::stderr())),
        _ => BoxMakeWriter::new(|| Lossy(io::stdout())),
    };
    let builder = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_target(false)
        .with_ansi(false)
        .with_env_filter(filter(flags.get(Setting::LogOutputLevel)));
    // A second start, as in tests that run several commands, keeps the first one's settings.
    let _started = if flags.is_on(Setting::LogAsJson) {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}

/// Writes what it can and drops the rest. Without it, tracing would report each lost line to standard error with a
/// macro that panics if standard error is lost too.
struct Lossy<W>(W);

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.0.write_all(bytes).and_then(|()| self.0.flush()) {
            report_once(&error);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that has ended needs no report.
fn report_once(error: &io::Error) {
    static REPORTED: Once = Once::new();
    if error.kind() != ErrorKind::BrokenPipe {
        REPORTED.call_once(|| output::warning(format_args!("Failed to write the log: {error}")));
    }
}

/// Istio's `scope:level,…` knows many scopes. Here there is one scope. Its level is that of `default` or `all`, or a
/// level without a scope; the last one counts.
fn filter(levels: Option<&str>) -> EnvFilter {
    let level = levels
        .unwrap_or_default()
        .split(',')
        .filter_map(|item| match item.split_once(':') {
            Some(("default" | "all", level)) => Some(level),
            Some(_) => None,
            None => Some(item).filter(|item| !item.is_empty()),
        })
        .next_back();
    EnvFilter::new(match level {
        Some("none") => "off",
        Some("fatal" | "error") => "error",
        Some("warn") => "warn",
        Some("debug") => "debug",
        _ => "info",
    })
}
