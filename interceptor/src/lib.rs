// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The loader of Interceptor, for every front end: [`Node`] enrolls a [`Pod`] with what is [`Wanted`], and
//! [`EnrollError`] says why not. The command line is one front end, behind the feature `cli`.
//!
//! What a configuration is and what it compiles to is in `interceptor-config`, the kernel programs are in
//! `interceptor-ebpf`, and the rules in `interceptor-policy`.

mod accounts;
#[cfg(feature = "cli")]
pub mod cli;
mod enrolled;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod iptables;
mod kernel;
pub mod namespaces;
mod node;
mod pod;
mod prepared;
#[cfg(feature = "records")]
pub mod records;

pub use accounts::SystemAccounts;
pub use enrolled::Enrolled;
pub use error::{EnrollError, Missing, Process};
pub use interceptor_config::Wanted;
pub use interceptor_policy::Reason;
#[cfg(feature = "cli")]
pub(crate) use kernel::named_file;
#[cfg(feature = "records")]
pub use kernel::named_file::read as read_named_file;
pub use kernel::{
    check::{
        features::{self, Answer, Feature},
        fitness::Fitness,
    },
    enroll::{
        steps::{Change, Plan, Step},
        told::Upgrade,
    },
    node::{
        status::{Counts, PodStatus},
        trace::{Renewal, Trace, TraceFilter, TraceLimits, wall_clock},
    },
    pod::{cgroup::Cgroup, istio_rules::IstioRules, netns::Netns, tproxy::MarkedRouting},
    programs::build::Build,
};
pub use node::Node;
pub use pod::Pod;
pub use prepared::Prepared;
