// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How `interceptor inject` has this program ask a cluster. The flags are those of `istioctl`.

use std::path::PathBuf;

use clap::Args;

/// Reads a question in JSON from standard input, and answers it on standard output. `interceptor inject` starts this.
#[derive(Args, Debug)]
pub(crate) struct AskArgs {
    /// The version of the program that asks
    #[arg(long)]
    pub(crate) for_version: String,
    #[arg(long)]
    pub(crate) kubeconfig: Option<PathBuf>,
    #[arg(long)]
    pub(crate) context: Option<String>,
    #[arg(long = "as")]
    pub(crate) user: Option<String>,
    #[arg(long = "as-group")]
    pub(crate) groups: Vec<String>,
    #[arg(long = "as-uid")]
    pub(crate) uid: Option<String>,
    /// Seconds that an answer may take
    #[arg(long)]
    pub(crate) patience: u64,
}
