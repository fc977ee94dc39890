// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 5: the verbs, that is enrolling a pod and ending its enrollment.

mod adopt;
mod adopt_agent;
pub(crate) mod execute;
mod network;
pub(crate) mod plan;
pub(crate) mod steps;
pub(crate) mod unenroll;
