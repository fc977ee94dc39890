// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The differential test: for a configuration, Istio's rules are loaded into one pod and `interceptor` enrolls its
//! twin. The same flows run in both, and everything that anyone can observe of them is compared.

mod lab;
mod list;
mod network;
mod random;
mod reasons;
mod seen;
mod twins;

pub use lab::{Lab, stacks};
pub use list::{Case, LISTED, WRITTEN, cases};
pub use random::{Failure, random};
pub use twins::Difference;
