// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is logged, and how.

use clap::{Args, ValueEnum};

/// The log goes to standard output.
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// The least important messages to log
    #[arg(long, value_name = "LEVEL", env = "LOG_LEVEL", value_enum, default_value_t)]
    pub(crate) log_level: Level,

    /// Log one JSON object a line
    #[arg(long, env = "LOG_JSON")]
    pub(crate) log_json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}
