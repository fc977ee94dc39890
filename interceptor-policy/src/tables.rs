// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the rules look up the operator's lists.

use crate::{
    abi::{AddressClass, NumberClass, NumberSpace},
    address::Address,
};

/// What the operator's lists say of an address or a number. The kernel programs look it up in maps, `explain` in a
/// snapshot of the maps, and tests in memory.
pub trait Tables {
    /// The union of what is said of all ranges that hold `address`.
    fn address(&self, address: Address) -> AddressClass;
    /// The union of what is said of all ranges of `space` that hold `number`.
    fn number(&self, space: NumberSpace, number: u32) -> NumberClass;
}
