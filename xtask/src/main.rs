// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The project's chores, as `cargo xtask <command>`: one file per command, and every program that is run is printed.

mod apt;
mod architecture;
mod bench;
mod build;
mod demo;
mod differential;
mod fuzz;
mod image;
mod kubernetes;
mod lint;
mod manifests;
mod mutants;
mod programs;
mod run;
mod setup;
mod story;
mod suite;
mod test;
mod transcripts;
mod user;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sets up, builds, checks and tests Interceptor.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find or install what building and testing need; do nothing when all of it is there
    Setup(setup::Options),
    /// Build the `interceptor` program with the kernel object inside
    Build(build::Options),
    /// Show two pods with sidecars and no iptables rule, and check every sentence of it; needs root
    Demo(demo::Options),
    /// Compare with Istio's iptables rules, connection by connection; needs root
    Differential(differential::Options),
    /// Measure what interception costs, compared with none and with Istio's iptables rules; needs root
    Bench(bench::Options),
    /// Run the fuzzers on everything that reads foreign input
    Fuzz(fuzz::Options),
    /// Write the container image, without a daemon and without a registry
    Image(image::Options),
    /// Build Kubernetes from Debian's source package, into the user's cache; do nothing when it is there
    Kubernetes(kubernetes::Options),
    /// Check the format, the lints, the documentation and the rules of this project
    Lint,
    /// Print what the Helm chart installs, for `kubectl apply`
    Manifests(manifests::Options),
    /// Show whether a comparison with Istio's iptables rules finds wrong decisions; needs root
    Mutants(mutants::Options),
    /// Set up, lint, and run every test; the root suite needs root
    Test(test::Options),
    /// Run the stories with a name, once or many times; needs root
    Story(story::Options),
    /// Compare the rules that are rendered with the transcripts of `istio-iptables`' own tests
    Transcripts(transcripts::Options),
    /// Run a command under another kernel, in a virtual machine
    Vm(vm::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup(options) => setup::run(&options),
        Command::Build(options) => build::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Differential(options) => differential::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Image(options) => image::run(&options),
        Command::Kubernetes(options) => kubernetes::run(&options),
        Command::Lint => lint::run(),
        Command::Manifests(options) => manifests::run(&options),
        Command::Mutants(options) => mutants::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Story(options) => story::run(&options),
        Command::Transcripts(options) => transcripts::run(&options),
        Command::Vm(options) => vm::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
