// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `--accelerate` promises, one file per story: nothing is lost, reordered or hoarded, and no application can
//! tell the difference but where the documentation says so.
//!
//! The sizes are for every day; `INTERCEPTOR_TEST_FULL=1` makes them 1 GiB each way and 100,000 connections.

mod admission;
mod behavior;
mod budgets;
mod churn;
mod integrity;
mod lab;
mod memory;
mod refusal;
mod restart;
mod stall;
mod switching;
