// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The addresses that only redirection uses. Nothing but an answer of the DNS agent comes from one.

use interceptor_policy::{Address, SlotAddress};

/// Whether `address` is in one of the networks of the slots: `127.128.0.0/9`, also in its mapped form, or
/// [`SlotAddress::NETWORK_V6`].
#[inline(always)]
pub(crate) const fn is_reserved(address: Address) -> bool {
    SlotAddress::is_in_network_v6(address) || SlotAddress::decode(address).is_some()
}
