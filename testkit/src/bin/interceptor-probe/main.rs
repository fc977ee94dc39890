// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Goes into a namespace and a cgroup, becomes a user, and then runs a program or a probe. Answers in JSON, one
//! object per line.

mod ask;
mod connect;
mod datagram;
mod flood;
mod identity;
mod knock;
mod leave;
mod listen_only;
mod mass;
mod pair;
mod socket;
mod watch;
mod web;

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use interceptor_verify::probe::{Launch, Serve, agent};

use crate::{
    ask::Ask, connect::Connect, datagram::Datagram, flood::Flood, knock::Knock, listen_only::ListenOnly, pair::Pair,
    web::Web,
};

/// Starts a program or a network probe in a namespace, in a cgroup, as a user.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  interceptor-probe --netns demo --uid 1000 --gid 1000 connect 10.0.0.1:80"
)]
struct Arguments {
    #[command(flatten)]
    launch: Launch,
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Replaces itself by a program
    Exec {
        #[arg(required = true, last = true, value_name = "COMMAND")]
        line: Vec<String>,
    },
    /// Connects by TCP and says what both ends see
    Connect(Connect),
    /// Dials one destination after another, and counts how that ends
    Flood(Flood),
    /// Sends a UDP datagram and says who answers
    Datagram(Datagram),
    /// Asks several servers by UDP from one socket and says who answers
    Ask(Ask),
    /// Sends a message to a Unix socket of packets and says what is answered
    Knock(Knock),
    /// Sends the first packet of a connection in ways that may evade redirection
    Leave(leave::Leave),
    /// Says which first packets arrive, until a datagram to port 9 does
    Watch,
    /// Listens, and tells every client who it is and whom it sees
    Serve(Serve),
    /// Listens, and answers every HTTP request with one page
    Web(Web),
    /// Answers one request after another from standard input, each as another user
    Agent,
    /// Holds both ends of connections, and compares them
    Pair(Box<Pair>),
    /// Listens, takes connections, and neither says nor does anything with them
    ListenOnly(ListenOnly),
}

fn main() -> anyhow::Result<()> {
    let Arguments { launch, command } = Arguments::parse();
    launch.enter()?;
    match command {
        Action::Exec { line } => {
            launch.assume_user()?;
            let (program, arguments) = line.split_first().context("a command to run")?;
            Err(Command::new(program).args(arguments).exec()).with_context(|| format!("run {program}"))
        }
        Action::Connect(connect) => connect.run(&launch),
        Action::Flood(flood) => flood.run(&launch),
        Action::Datagram(datagram) => datagram.run(&launch),
        Action::Ask(ask) => ask.run(&launch),
        Action::Knock(knock) => knock.run(&launch),
        Action::Leave(leave) => leave.run(&launch),
        Action::Watch => watch::run(&launch),
        Action::Serve(serve) => serve.run(&launch),
        Action::Web(web) => web.run(&launch),
        Action::Pair(pair) => pair.run(&launch),
        Action::Agent => agent(&launch),
        Action::ListenOnly(listen) => listen.run(&launch),
    }
}
