// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What building and testing need, as data. Knows nothing of this machine: `facts` looks, and `plan` compares.

mod item;
mod items;

pub(crate) use item::Purpose;
pub(super) use item::{Item, Need};
pub(super) use items::ITEMS;
