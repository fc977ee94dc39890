// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor-verify probe`: this program as the client or the server of a comparison, in a namespace and a cgroup,
//! as some user. It is started by a comparison, and no command for people.

use std::{ffi::OsString, fs, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::{
    messages::Ready,
    probe::{Launch, Serve, agent, write_line},
};

/// Go to a namespace and a cgroup, become a user, and then run a program, a client or a server
#[derive(Parser)]
#[command(name = "interceptor-verify probe")]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    launch: Launch,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Replaces itself by a program
    Exec {
        #[arg(required = true, last = true, value_name = "COMMAND")]
        line: Vec<OsString>,
    },
    /// Sets sysctls of the network namespace, as far as this kernel has them
    Sysctl {
        #[arg(required = true, value_name = "NAME=VALUE")]
        settings: Vec<String>,
    },
    /// Listens, and tells every client who it is and whom it sees
    Serve(Serve),
    /// Answers one request after another from standard input, each as another user
    Agent,
}

pub(super) fn run(ProbeArgs { launch, action }: ProbeArgs) -> Result<()> {
    launch.enter()?;
    match action {
        Action::Exec { line } => {
            launch.assume_user()?;
            let (program, arguments) = line.split_first().context("a command to run")?;
            Err(Command::new(program).args(arguments).exec()).with_context(|| format!("run {}", program.display()))
        }
        Action::Sysctl { settings } => settings.iter().try_for_each(|setting| set(setting)),
        Action::Serve(serve) => serve.run(&launch),
        Action::Agent => {
            // The namespace is there.
            write_line(&Ready { ready: Vec::new() })?;
            agent(&launch)
        }
    }
}

fn set(setting: &str) -> Result<()> {
    let (name, value) = setting
        .split_once('=')
        .with_context(|| format!("{setting:?} is not NAME=VALUE"))?;
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    match fs::write(&path, value) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        written => {
            written.with_context(|| format!("write {path}; is /proc/sys read-only here? The pod has to be privileged"))
        }
    }
}
