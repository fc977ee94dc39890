// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What tests, benchmarks and the demo share: nodes, pods and processes that exist for one test.
//!
//! A [`Node`] owns everything that a test leaves in the kernel and takes it away when it is dropped, also when the
//! test panics. The harness never changes its own namespace, cgroup or user: the `interceptor-probe` launcher does
//! that in child processes.
//!
//! A failed test prints how to enter its namespaces; with `INTERCEPTOR_TEST_KEEP=1` they stay.

pub mod api_server;
mod backend;
mod cgroup;
pub mod cluster;
mod contained;
mod counters;
pub mod envoy;
pub mod helm;
mod interceptor;
pub mod istio;
pub mod istio_rules;
mod kernel_without;
mod launcher;
mod namespace;
mod node;
mod open_connection;
mod other_build;
mod pod;
mod process;
pub mod programs;
pub mod promtool;
pub mod records;
mod scale;
pub mod scene;
mod scratch;
pub mod trace;
mod user_namespace;
mod wait;

pub use backend::Backend;
pub use cgroup::mount_point as cgroup2_mount_point;
pub use contained::contained;
pub use counters::Counters;
pub use interceptor::{Run, binary as interceptor_binary};
pub use interceptor_verify::{Interrupt, flow, probe::write_line, retry};
pub use kernel_without::without_btf;
pub use launcher::{APP_UID, Launcher, PROXY_UID};
pub use namespace::Namespace;
pub use node::{Node, profile_directory};
pub use open_connection::OpenConnection;
pub use other_build::OtherBuild;
pub use pod::Pod;
pub use process::{Finished, Process};
pub use scale::scale;
pub use scratch::scratch;
pub use user_namespace::UserNamespace;
pub use wait::{timeout, try_wait_until, wait_until};
