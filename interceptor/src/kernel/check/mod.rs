// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 4: what this kernel can do, found out by trying.

pub(crate) mod acceleration;
pub mod features;
pub(crate) mod fitness;
pub(crate) mod guard;
pub(crate) mod known_bad;
pub(crate) mod scratch;
