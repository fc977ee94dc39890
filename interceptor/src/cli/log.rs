// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::io;

use tracing_subscriber::{EnvFilter, fmt::writer::BoxMakeWriter};

use interceptor_config::{Flags, Setting};

/// Starts logging as the flags of `pilot-agent` ask for: to standard output, from level info on, unless they say
/// otherwise.
pub(super) fn start(flags: &Flags) {
    let writer = match flags.get(Setting::LogTarget) {
        Some("stderr") => BoxMakeWriter::new(io::stderr),
        _ => BoxMakeWriter::new(io::stdout),
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

/// Istio's `scope:level,…` knows many scopes; here there is one, which follows `default`, `all`, or a level without a
/// scope.
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
