// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flags that `istio-iptables` inherits from `pilot-agent`.

use clap::Args;

use super::flags::switch;

/// Flags about logging, spelled as `pilot-agent` spells them.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Logging (inherited from pilot-agent)")]
pub struct LogFlags {
    /// Minimum level of messages to output, as SCOPE:LEVEL,SCOPE:LEVEL,… (default: default:info)
    #[arg(long = "log_output_level", value_name = "LEVELS", allow_hyphen_values = true)]
    pub output_level: Option<String>,

    /// Whether to format output as JSON (default: false)
    #[arg(long = "log_as_json", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub as_json: Option<bool>,

    /// Where to log; stdout and stderr are known (default: stdout)
    #[arg(long = "log_target", value_name = "TARGET", allow_hyphen_values = true)]
    pub target: Option<String>,

    /// Scopes whose messages name the caller; accepted, without effect
    #[arg(long = "log_caller", value_name = "SCOPES", allow_hyphen_values = true)]
    pub caller: Option<String>,

    /// Level from which stack traces are captured; accepted, without effect
    #[arg(long = "log_stacktrace_level", value_name = "LEVELS", allow_hyphen_values = true)]
    pub stacktrace_level: Option<String>,

    /// Verbosity of the Kubernetes client; accepted, without effect
    #[arg(long = "vklog", value_name = "NUMBER", allow_hyphen_values = true)]
    pub vklog: Option<String>,
}
