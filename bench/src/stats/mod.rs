// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What may be concluded from a few rounds of measurements on a machine that does other things too.

mod bootstrap;
mod quantile;
mod spread;

pub use bootstrap::{Bootstrap, Interval};
pub use quantile::{median, quantile};
pub use spread::{SPREAD_BOUND, Spread};
