// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots: where a redirected connection was going. This file takes slots and reads them back; it never frees one,
//! because the kernel recycles the least recently used.

use aya_ebpf::bindings::BPF_NOEXIST;
use interceptor_policy::{Address, Destination, Reason, Slot, SlotAddress, SlotCandidates, SlotEntry};

use crate::{
    kernel_memory::constant,
    maps::SLOTS,
    pod::Pod,
    search::{Search, find_first},
};

/// The loader chooses it at random; [`SlotCandidates::of`] says why.
#[unsafe(no_mangle)]
static SLOT_SEED: u32 = 0;

impl Pod<'_> {
    /// The slot that holds `destination` for this pod already, or else a free slot, which then holds it. `None` if all
    /// candidates hold other destinations.
    #[inline(always)]
    pub(crate) fn take_slot(self, destination: Destination) -> Option<Slot> {
        let entry = SlotEntry::new(self.netns_cookie, destination);
        let candidates = SlotCandidates::of(&entry, constant!(SLOT_SEED));
        find_first(SlotCandidates::COUNT, SlotSearch { candidates, entry }).map(|candidate| candidates.nth(candidate))
    }

    /// The slot in an address, if the connection to that address and `port` is to the sidecar.
    #[inline(always)]
    pub(crate) fn slot_in(self, address: Address, port: u16) -> Option<SlotAddress> {
        if self.policy.is_proxy_port(port) {
            SlotAddress::decode(address)
        } else {
            None
        }
    }

    /// The destination that the slot holds for this pod. If it was recycled, that is counted.
    #[inline(always)]
    pub(crate) fn destination(self, slot: Slot) -> Option<Destination> {
        if let Some(entry) = SLOTS.get_ptr(slot.key()) {
            // SAFETY: the kernel overwrites an entry only when it recycles it, and it recycles the entries first that
            // were not looked up for the longest time.
            let SlotEntry { netns_cookie, destination, padding: _ } = unsafe { *entry };
            if netns_cookie == self.netns_cookie {
                return Some(destination);
            }
        }
        // The slot was recycled, perhaps for another pod.
        self.count(Reason::SlotForgotten);
        None
    }
}

/// Looks for a slot that holds `entry`, or can.
struct SlotSearch {
    candidates: SlotCandidates,
    entry: SlotEntry,
}

impl Search for SlotSearch {
    /// Accepts a slot that holds the entry, or is free. A free slot gets the entry at once.
    #[inline(always)]
    fn accepts(&self, candidate: u32) -> bool {
        let slot = self.candidates.nth(candidate);
        let Some(held) = SLOTS.get_ptr(slot.key()) else {
            // An error means that another CPU has just taken the slot. If it was for the same destination, this search
            // goes on, and the destination is in two slots. That does no harm.
            return SLOTS.insert(slot.key(), self.entry, u64::from(BPF_NOEXIST)).is_ok();
        };
        // SAFETY: the kernel recycles the least recently used entries. This one was looked up a moment ago.
        unsafe { &*held }.same(&self.entry)
    }
}
