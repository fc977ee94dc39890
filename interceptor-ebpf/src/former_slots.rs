// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots that programs of the former version of the ABI give out, read in its layout. A version whose tables have the
//! layout of the former one's has none of these.
//!
//! While this version takes over, and while it gives pods back, programs of both versions give out slots. The former
//! one's programs know their own table only. So those that read slots are this version's as long as a program of it
//! gives any out, and they look into both tables.

use interceptor_policy::{Destination, Slot};

use crate::pod::Pod;

/// The destination that a slot of the former version stands for.
#[inline(always)]
#[cfg(not(feature = "other-abi"))]
pub(crate) const fn destination(_pod: Pod<'_>, _slot: Slot) -> Option<Destination> {
    None
}

#[inline(always)]
#[cfg(feature = "other-abi")]
pub(crate) fn destination(pod: Pod<'_>, slot: Slot) -> Option<Destination> {
    use aya_ebpf::btf_maps::lpm_trie::Key;
    use interceptor_policy::{FormerCell, SlotKey};

    // SAFETY: a table lives as long as any program that can see it.
    let table = unsafe { crate::maps::FORMER_SLOTS.get(&pod.netns_cookie) }?;
    let entry = table.get(&Key::new(SlotKey::BITS, SlotKey::of_cell(slot.cell())))?;
    let cell = FormerCell::from(crate::slot_words::value(entry));
    if cell.slot(slot.cell()).same(slot) { Some(cell.destination) } else { None }
}
