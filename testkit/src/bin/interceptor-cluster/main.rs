// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Kubernetes node for one test: makes it, and takes it away when the test is gone. `testkit::cluster` starts it.
//!
//! The guard stays outside of the node's namespaces, so that it can remove what those do not take with them: cgroups
//! and files. The node's first process starts everything else; the kernel ends all of it with that process.

mod calls;
mod cgroups;
mod chain;
mod components;
mod configuration;
mod guard;
mod layout;
mod network;
mod node;
mod pki;
mod runc;

use clap::{Parser, Subcommand};

/// Makes a Kubernetes node, and takes it away.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  interceptor-cluster guard --mode hybrid \
                  --kubernetes ~/.cache/interceptor/kubernetes/1.20.2-1"
)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Keeps a node until standard input ends, or a signal comes
    Guard(guard::Guard),
    /// Is the first process of the node
    Node(node::Node),
    /// Is the last plugin of the node's chain
    Calls(calls::Calls),
    /// Is `runc` where cgroup2 has no controllers: leaves out the limits that cannot be written
    Runc(runc::Runc),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().role {
        Role::Guard(guard) => guard.run(),
        Role::Node(node) => node.run(),
        Role::Calls(calls) => calls.run(),
        Role::Runc(runc) => runc.run(),
    }
}
