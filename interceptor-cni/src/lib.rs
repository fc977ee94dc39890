// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CNI plugin of Interceptor, the last of a chain: it asks the node agent to enroll a pod before the pod's first
//! process runs, and passes the result of the plugins before it on, unchanged. It holds no credentials, reads no API,
//! and loads no kernel program.
//!
//! A pod that was not injected passes without anybody being asked, where the runtime hands the pod's annotations over.
//! So a node without its agent still starts every other pod. What cannot be decided fails, and the message says what
//! to do.

mod agent;
mod call;
mod cgroup;
mod config;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod log;
mod netns;
mod plugin;
mod process;
mod result;
mod run_dir;
mod skip;
mod verbs;
mod versions;

pub use process::main;
