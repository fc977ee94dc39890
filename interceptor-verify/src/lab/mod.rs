// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The differential lab: for a configuration, Istio's rules are loaded into one pod and `interceptor` enrolls its twin.
//! The same flows run in both, and everything that anyone can observe of them is compared.

#[expect(clippy::module_inception, reason = "the lab itself, among what it is made of")]
mod lab;
mod list;
mod listed;
mod network;
mod outcome;
mod own;
mod random;
mod reasons;
mod seen;
mod twin;
mod twins;

pub use lab::{InForce, Lab, stacks};
pub use list::{Case, LISTED, WRITTEN, cases};
pub use listed::Listed;
pub use outcome::{Difference, Outcome};
pub use own::Own;
pub use random::{Failure, random, random_flows};
pub use seen::Seen;
