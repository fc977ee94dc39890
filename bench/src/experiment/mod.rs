// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is measured. An experiment has contenders, usually one for each way to intercept, and all of them have one
//! turn in each round, in an order that chance decides anew: what slows the machine down for a while slows all of
//! them down.

mod adds;
mod enroll;
mod envoy;
mod lab;
mod memory;
mod mesh;
mod outcome;
mod plan;
mod pods_start;
mod rounds;
mod scale;
mod trace;
mod traffic;
mod unenrolled;
mod upgrade;

pub use lab::{Effort, Lab};
pub use outcome::{Better, Outcome, Percentiles, Round, Series, Unit};
pub use plan::{Contender, Plan};

use clap::ValueEnum;

/// The names for `--only`, in the order in which they are carried out: the one of a process in no pod before any pod
/// is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Group {
    /// `connect()` of a process that is in no pod
    Unenrolled,
    /// The time that `connect()` takes, to one destination and to thousands in turn
    Connect,
    /// Connect, request, response, close
    Request,
    /// Messages to and fro on one connection
    RoundTrips,
    /// Throughput by size of the writes
    Bulk,
    /// Processor time for each request
    Cpu,
    /// Requests at times fixed beforehand, whether or not the last has been answered
    Load,
    /// Thousands of connections held open over 1024 ephemeral ports
    ManyOpen,
    /// `connect()` against the number of excluded ranges
    Cidrs,
    /// `connect()` against the number of excluded ports
    Ports,
    /// `connect()` against the number of enrolled pods on the node
    Pods,
    /// `connect()` while verdicts are followed
    Trace,
    /// Putting interception in force in a pod
    Enroll,
    /// Replacing the programs of a node, and requests meanwhile
    Upgrade,
    /// Kernel memory for each pod and each connection
    Memory,
    /// HTTP through two real Envoys; needs --envoy PATH
    Envoy,
    /// HTTP through two real Envoys by several clients at once: requests per second, their time, processor time
    Mesh,
    /// CNI ADD of 100 pods at once, by chains with nothing, with Istio's rules and with our plugin; needs --shipped DIR
    Adds,
    /// How long a pod of a Kubernetes node takes until its sidecar sees a connection; needs --shipped DIR
    PodsStart,
}

impl Group {
    /// How many experiments belong to it: for the progress bar.
    pub const fn experiments(self) -> u32 {
        match self {
            Self::RoundTrips => 4,
            Self::Bulk => 3,
            Self::Mesh => 6,
            Self::Connect | Self::Memory | Self::Envoy | Self::Adds | Self::Upgrade => 2,
            _ => 1,
        }
    }

    /// Carries out all its experiments.
    pub fn run(self, lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
        match self {
            Self::Connect => traffic::connect(lab),
            Self::Request => traffic::request(lab),
            Self::RoundTrips => traffic::round_trips(lab),
            Self::Bulk => traffic::bulk(lab),
            Self::Cpu => traffic::cpu(lab),
            Self::Load => traffic::load(lab),
            Self::ManyOpen => traffic::many_open(lab),
            Self::Cidrs => scale::cidrs(lab),
            Self::Ports => scale::ports(lab),
            Self::Pods => scale::pods(lab),
            Self::Unenrolled => unenrolled::run(lab),
            Self::Trace => trace::run(lab),
            Self::Enroll => enroll::run(lab),
            Self::Upgrade => upgrade::run(lab),
            Self::Memory => memory::run(lab),
            Self::Envoy => envoy::run(lab),
            Self::Mesh => mesh::run(lab),
            Self::Adds => adds::run(lab),
            Self::PodsStart => pods_start::run(lab),
        }
    }
}
