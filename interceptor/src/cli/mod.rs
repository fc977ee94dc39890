// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line: one file per command. Commands that read never change anything. Texts for people are here and
//! not in `kernel`.

mod advice;
mod bpffs;
mod check;
mod completion;
mod data_path;
mod enroll;
mod exit;
mod explain;
mod log;
mod man;
mod names;
mod node_args;
mod output;
mod pods;
mod refresh;
mod render;
mod rules;
mod sibling;
mod status;
mod trace;
mod unenroll;
mod unprotected;
mod upgrade;
mod usage;
mod validate;
mod version;
mod wait;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use self::exit::Statuses;

/// Redirect pod traffic to a sidecar proxy with eBPF. Drop-in replacement for istio-init
#[derive(Debug, Parser)]
#[command(
    name = "interceptor",
    version,
    max_term_width = 120,
    args_override_self = true,
    arg_required_else_help = true,
    after_help = exit::help()
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(visible_aliases = ["istio-iptables", "pod"], args_override_self = true)]
    Enroll(Box<enroll::EnrollArgs>),
    #[command(visible_alias = "clean")]
    Unenroll(unenroll::UnenrollArgs),
    /// End the interception of this pod; takes the flags of Istio's command of this name
    #[command(hide = true, args_override_self = true, after_help = exit::CLEAN)]
    IstioCleanIptables(Box<enroll::EnrollArgs>),
    Refresh(refresh::RefreshArgs),
    Status(status::StatusArgs),
    Upgrade(upgrade::UpgradeArgs),
    #[command(args_override_self = true)]
    Explain(Box<explain::ExplainArgs>),
    Trace(trace::TraceArgs),
    Render(render::RenderArgs),
    Check(check::CheckArgs),
    /// Enroll the pods of a Kubernetes node when the CNI plugin asks for it
    #[command(disable_help_flag = true)]
    Agent(sibling::SiblingArgs),
    /// Let Interceptor do what Istio's init container does in pods that Istio injected
    #[command(disable_help_flag = true)]
    Inject(sibling::SiblingArgs),
    /// Let Interceptor do what Istio's init container does in pods that are created
    #[command(disable_help_flag = true)]
    Webhook(sibling::SiblingArgs),
    /// Compare Interceptor with Istio's iptables rules on this machine, for your configuration
    #[command(disable_help_flag = true)]
    Verify(sibling::SiblingArgs),
    Wait(wait::WaitArgs),
    Version(version::VersionArgs),
    Completion(completion::CompletionArgs),
    Man(man::ManArgs),
}

/// Runs one command, prints its errors, and returns its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let statuses = arguments.get(1).map_or(Statuses::Own, |command| Statuses::of(command));
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::print(error, &Cli::command(), &arguments, statuses),
    };
    let done = match cli.command {
        Command::Enroll(args) => enroll::run(&args),
        Command::IstioCleanIptables(args) => enroll::clean(&args),
        Command::Unenroll(args) => unenroll::run(&args),
        Command::Refresh(args) => refresh::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Upgrade(args) => upgrade::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Agent(args) => sibling::run("agent", &[], &args),
        Command::Inject(args) => sibling::run("inject", &[], &args),
        Command::Webhook(args) => sibling::run("webhook", &[], &args),
        Command::Verify(args) => sibling::run("verify", &[], &args),
        Command::Wait(args) => wait::run(&args),
        Command::Version(args) => version::run(&args),
        Command::Completion(args) => completion::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
    };
    done.unwrap_or_else(|error| {
        output::error(&error);
        if let Some(advice) = error.downcast_ref().and_then(advice::advice) {
            output::advice(advice);
        }
        ExitCode::from(statuses.failure(&error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
