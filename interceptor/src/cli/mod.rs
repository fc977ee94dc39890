// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line: one file per command. Nouns read, verbs write.

mod advice;
mod check;
mod enroll;
mod explain;
mod log;
mod output;
mod render;
mod status;
#[cfg(feature = "kernel-log")]
mod trace;
mod unenroll;
mod validate;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

/// Brings an application's sockets to its sidecar by eBPF: a drop-in for istio-init.
#[derive(Debug, Parser)]
#[command(
    name = "interceptor",
    version,
    max_term_width = 120,
    args_override_self = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(visible_aliases = ["istio-iptables", "pod"], args_override_self = true)]
    Enroll(Box<enroll::EnrollArgs>),
    #[command(visible_aliases = ["clean", "istio-clean-iptables"])]
    Unenroll(unenroll::UnenrollArgs),
    Status(status::StatusArgs),
    #[command(args_override_self = true)]
    Explain(Box<explain::ExplainArgs>),
    Render(render::RenderArgs),
    Check(check::CheckArgs),
    #[cfg(feature = "kernel-log")]
    Trace(trace::TraceArgs),
}

/// What `pilot-agent istio-iptables` exits with after a mistake on its command line.
const ISTIO_USAGE: u8 = 255;
/// What everything else here exits with after one.
const USAGE: u8 = 2;

/// Runs one command, prints its errors, and says how it went: 0, or 1 for any error that has no number of its own.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &args),
    };
    let done = match cli.command {
        Command::Enroll(args) => enroll::run(&args),
        Command::Unenroll(args) => unenroll::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Check(args) => check::run(&args),
        #[cfg(feature = "kernel-log")]
        Command::Trace(args) => trace::run(&args),
    };
    done.unwrap_or_else(|error| {
        output::error(&error);
        let typed = error.downcast_ref();
        if let Some(advice) = typed.and_then(advice::advice) {
            output::advice(advice);
        }
        typed.map_or(ExitCode::FAILURE, |error| ExitCode::from(advice::exit_status(error)))
    })
}

/// Prints a mistake, or the help that was asked for.
fn usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    // Where standard output is gone, there is nobody to tell.
    let _printed = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let drop_in = args
        .get(1)
        .is_some_and(|command| command == "istio-iptables" || command == "pod");
    ExitCode::from(if drop_in { ISTIO_USAGE } else { USAGE })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
