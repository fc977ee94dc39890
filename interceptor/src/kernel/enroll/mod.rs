// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 5: the verbs, that is enrolling a pod, ending its enrollment, and changing the programs of all.

mod adopt;
mod adopt_agent;
pub(crate) mod execute;
mod network;
pub(crate) mod plan;
pub(crate) mod steps;
pub(crate) mod unenroll;
pub(crate) mod upgrade;
mod way_back;
