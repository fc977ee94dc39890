// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Benchmarks that a sceptic can run: no interception, Istio's iptables rules and this project, side by side in one
//! run.
//!
//! Read in this order: [`stage`] makes the pods, [`worker`] is what runs in them, [`experiment`] is what is measured,
//! [`stats`] says what may be concluded, and [`report`] tells it. The methodology, with its reasons, is in
//! `docs/benchmarks.md`.

pub mod experiment;
pub mod progress;
pub mod report;
pub mod stage;
pub mod stats;
pub mod targets;
pub mod worker;
