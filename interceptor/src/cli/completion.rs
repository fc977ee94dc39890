// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor completion`: a script with which a shell completes command lines. It reads nothing.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::output;

/// Print a script that completes command lines in a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  source <(interceptor completion bash)
  interceptor completion zsh > \"${fpath[1]}/_interceptor\"
  interceptor completion fish > ~/.config/fish/completions/interceptor.fish")]
pub(super) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionArgs, mut command: Command) -> Result<ExitCode> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(args.shell, &mut command, name, &mut script);
    output::text(String::from_utf8(script).context("Failed to write the script")?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
