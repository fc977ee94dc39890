// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is logged, and how.

use clap::{Args, ValueEnum};

use super::switch::SWITCH;

/// What is logged, and how. The log goes to standard output.
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// The least important messages to log, by the CNI plugin too
    #[arg(long, value_name = "LEVEL", env = "LOG_LEVEL", value_enum, default_value_t)]
    pub(crate) log_level: Level,

    /// The same for this process alone, as Istio writes it: `info`, or `default:info,cni-agent:debug`. Levels of
    /// single scopes are ignored
    #[arg(long = "log_output_level", value_name = "LEVELS", value_parser = output_level)]
    output_level: Option<OutputLevel>,

    /// Log one JSON object a line
    #[arg(long, value_name = SWITCH, env = "LOG_JSON", alias = "log_as_json", default_value = "false")]
    pub(crate) log_json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    None,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// Of Istio's flag, what is said of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OutputLevel(Option<Level>);

impl LogArgs {
    /// Of this process.
    pub(crate) fn level(&self) -> Level {
        self.output_level.and_then(|OutputLevel(level)| level).unwrap_or(self.log_level)
    }
}

impl Level {
    /// As the plugin calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Reads a list of levels, each of a scope or of all
/// ([`options.go`](https://github.com/istio/istio/blob/1.27.0/pkg/log/options.go)). Of two levels of all, the second
/// counts.
fn output_level(text: &str) -> Result<OutputLevel, String> {
    let mut level = None;
    for item in text.split(',') {
        let (scope, name) = item.split_once(':').unwrap_or(("default", item));
        let read = match name {
            "none" => Level::None,
            "fatal" | "error" => Level::Error,
            "warn" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            _ => return Err(format!("`{item}` has no level; write none, fatal, error, warn, info or debug")),
        };
        if matches!(scope, "default" | "all") {
            level = Some(read);
        }
    }
    Ok(OutputLevel(level))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one("debug", Some(Level::Debug))]
    #[case::of_all("all:warn", Some(Level::Warn))]
    #[case::beside_a_scope("default:info,cni-agent:debug", Some(Level::Info))]
    #[case::of_a_scope_only("cni-agent:debug", None)]
    #[case::twice("info,default:none", Some(Level::None))]
    fn istios_levels_are_read(#[case] text: &str, #[case] level: Option<Level>) {
        assert_eq!(output_level(text), Ok(OutputLevel(level)));
    }

    #[rstest]
    #[case("")]
    #[case("loud")]
    #[case("default:")]
    #[case("cni-agent:loud,info")]
    fn what_is_no_level_is_named(#[case] text: &str) {
        assert!(output_level(text).unwrap_err().contains("has no level"));
    }
}
