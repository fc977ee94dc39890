// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line. Every flag has a variable too, for the manifest of a `DaemonSet`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, ValueEnum};

/// Enroll the pods of this Kubernetes node when the CNI plugin asks for it
///
/// Listens on a socket for the plugin, and watches the pods of the node. What is set up for a pod stays in force while
/// the agent is away.
#[derive(Debug, Parser)]
#[command(name = "interceptor-agent", version, max_term_width = 120)]
pub(crate) struct Args {
    /// Directory of the socket and of the records of pods; it is made if it is not there
    #[arg(
        long,
        value_name = "DIR",
        env = "INTERCEPTOR_RUN_DIR",
        default_value = interceptor::records::RUN_DIRECTORY
    )]
    pub(crate) run_dir: PathBuf,

    /// Where the BPF file system is mounted
    #[arg(long, value_name = "DIR", env = "INTERCEPTOR_BPFFS", default_value = "/sys/fs/bpf")]
    pub(crate) bpffs: PathBuf,

    /// Name of this node, as Kubernetes calls it
    #[arg(long, value_name = "NAME", env = "NODE_NAME", value_parser = node_name)]
    pub(crate) node_name: String,

    /// How to reach the API server [default: as the pod that this runs in]
    #[arg(long, value_name = "FILE", env = "KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Port for /healthz and /readyz; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "HEALTH_PORT", default_value_t = 8000)]
    pub(crate) health_port: u16,

    /// Port for /metrics; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "MONITORING_PORT", default_value_t = 15014)]
    pub(crate) metrics_port: u16,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// What is logged, and how. The log goes to standard output.
#[derive(ClapArgs, Debug)]
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

/// The name becomes a part of a field selector.
fn node_name(text: &str) -> Result<String, &'static str> {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if !text.is_empty() && text.len() <= 253 && text.bytes().all(is_good) {
        Ok(text.to_owned())
    } else {
        Err("a node's name has lower-case letters, digits, `-` and `.`, at most 253")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_nodes_name_is_never_a_second_field_of_the_selector() {
        assert!(node_name("ip-10-0-0-1.eu.internal").is_ok());
        for bad in ["", "a,metadata.name=b", "a=b", "A"] {
            assert!(node_name(bad).is_err(), "{bad}");
        }
    }
}
