// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The verbs of CNI, one file each.

pub(crate) mod add;
pub(crate) mod check;
pub(crate) mod del;
pub(crate) mod gc;
pub(crate) mod status;
