// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CNI plugin, started as a runtime starts it, beside an agent that says what a test tells it to. What the real
//! agent does is tested elsewhere.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test, and the line tells why"
)]

mod agent;
mod asked;
mod bad_input;
mod cgroups;
mod hostile;
mod node;
mod passing;
mod plugin;
mod verbs;
