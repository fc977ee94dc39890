// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 5: the verbs, that is enrolling a pod, ending its enrollment, and changing the programs of all.

mod adopt;
mod adopt_agent;
pub(crate) mod execute;
pub(crate) mod keep;
mod network;
pub(crate) mod plan;
mod relink;
pub(crate) mod steps;
mod take_over;
pub(crate) mod told;
pub(crate) mod unenroll;
pub(crate) mod upgrade;
mod way_back;
