// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the agent listens.

use std::path::{Path, PathBuf};

use clap::Args;

/// Where the agent listens.
#[derive(Args, Debug)]
pub(crate) struct RunDirArgs {
    /// Directory of the socket and of the records of pods; it is made if it is not there [default: --cni-agent-run-dir,
    /// else /run/interceptor]
    #[arg(long, value_name = "DIR", env = "INTERCEPTOR_RUN_DIR", value_parser = absolute)]
    run_dir: Option<PathBuf>,

    /// The same directory as the CNI plugin sees it, which runs on the host [default: --run-dir]
    #[arg(long, value_name = "DIR", env = "CNI_AGENT_RUN_DIR", value_parser = absolute)]
    cni_agent_run_dir: Option<PathBuf>,
}

impl RunDirArgs {
    pub(crate) fn path(&self) -> &Path {
        let Self { run_dir, cni_agent_run_dir } = self;
        let named = run_dir.as_deref().or(cni_agent_run_dir.as_deref());
        named.unwrap_or_else(|| Path::new(interceptor::records::RUN_DIRECTORY))
    }

    pub(super) fn on_the_host(&self) -> &Path {
        self.cni_agent_run_dir.as_deref().unwrap_or_else(|| self.path())
    }
}

/// The plugin has another working directory.
pub(super) fn absolute(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err("a path from the root is needed, such as /run/interceptor")
    }
}
