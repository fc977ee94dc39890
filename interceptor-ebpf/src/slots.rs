// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots: where a redirected connection was going. This file takes slots and reads them back.
//!
//! A pod's first destinations get cells that were never used. When there are none left, a cell is given to another
//! destination if nobody has connected to its own for [`Use::KEPT`] seconds.

use core::cell::UnsafeCell;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::lpm_trie::Key,
    helpers::generated::{bpf_get_prandom_u32, bpf_ktime_get_coarse_ns},
};
use interceptor_policy::{
    Address, Cell, CellClaim, Destination, FreeCells, Reason, Slot, SlotAddress, SlotKey, SlotValue, Use, nth_cell,
};

use crate::{
    former_slots,
    maps::{SLOT_CLAIMS, SLOTS, SlotTrie, SlotWords},
    pod::Pod,
    search::{Search, find_first},
    slot_words::{read, value, write},
};

/// How many cells are tried one after the other, beginning with the first that may never have been used.
const TRIED_IN_ORDER: u32 = 8;
/// How many cells are tried in all. The rest is chosen at random. If half of all cells are in use, all of those are one
/// time out of 16 million.
const TRIED: u32 = TRIED_IN_ORDER + 24;

impl Pod<'_> {
    /// The slot that the pod has for `destination` already, or else one that it gets now. `None` if all cells that were
    /// tried are in use, or if there is no memory.
    #[inline(always)]
    pub(crate) fn take_slot(self, destination: Destination) -> Option<Slot> {
        let table = self.slots()?;
        let now = seconds();
        table
            .held(destination, now)
            .or_else(|| table.take(self.netns_cookie, destination, now))
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

    /// The destination that the slot stands for. If its cell has another slot by now, that is counted.
    #[inline(always)]
    pub(crate) fn destination(self, slot: Slot) -> Option<Destination> {
        if let Some(table) = self.slots()
            && let Some(entry) = table.entry(SlotKey::of_cell(slot.cell()))
        {
            let cell = Cell::from(value(entry));
            if cell.slot(slot.cell()).same(slot) {
                return Some(cell.destination);
            }
        }
        let former = former_slots::destination(self, slot);
        if former.is_some() {
            return former;
        }
        self.count(Reason::SlotForgotten);
        None
    }

    /// The pod's table. A pod that is being removed has none.
    #[inline(always)]
    fn slots(self) -> Option<SlotTable<'static>> {
        // SAFETY: a table lives as long as any program that can see it.
        unsafe { SLOTS.get(&self.netns_cookie) }.map(SlotTable)
    }
}

/// Seconds since the machine started.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a machine does not run for 136 years")]
fn seconds() -> u32 {
    // SAFETY: the helper takes nothing.
    (unsafe { bpf_ktime_get_coarse_ns() } / 1_000_000_000) as u32
}

/// A pod's table of slots.
#[derive(Clone, Copy)]
struct SlotTable<'a>(&'a SlotTrie);

impl<'a> SlotTable<'a> {
    /// The slot that a destination has already. It keeps it from now on.
    #[inline(always)]
    fn held(self, destination: Destination, now: u32) -> Option<Slot> {
        let entry = self.entry(SlotKey::of_destination(destination))?;
        let Use { slot, last, .. } = value(entry).into();
        // Once a second is enough, and a write takes the entry away from the other processors' caches.
        if last != now {
            write(&entry[Use::LAST], SlotValue::from(Use::new(slot, now))[Use::LAST]);
        }
        Some(slot)
    }

    /// Gives the destination a slot. `None` if that fails.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer cells")]
    fn take(self, pod: u64, destination: Destination, now: u32) -> Option<Slot> {
        let free = &self.free_cells()?[FreeCells::NEXT];
        let next = read(free) as u32;
        // SAFETY: the helper takes nothing.
        let random = unsafe { bpf_get_prandom_u32() };
        let search = CellSearch { table: self, pod, next, random, now };
        let tried = find_first(TRIED, search)?;
        let number = number_of(next, random, tried);
        if tried < TRIED_IN_ORDER {
            write(free, u64::from(number) + 1);
        } else {
            // All the cells from `next` on are in use.
            write(free, next.saturating_add(TRIED_IN_ORDER).min(Slot::END).into());
        }
        let taken = self.replace(number, destination, now);
        release(pod, number);
        taken
    }

    /// Gives the destination this cell, which must be claimed.
    #[inline(always)]
    fn replace(self, number: u32, destination: Destination, now: u32) -> Option<Slot> {
        let mut generation = 0;
        if let Some(entry) = self.entry(SlotKey::of_cell(number)) {
            let before = Cell::from(value(entry));
            generation = before.generation.wrapping_add(1);
            let key = SlotKey::of_destination(before.destination);
            if let Some(entry) = self.entry(key)
                && Use::from(value(entry)).slot.same(before.slot(number))
            {
                // It fails if the entry is gone, and that is what is wanted.
                let _removed = self.0.remove(&Key::new(SlotKey::BITS, key));
            }
        }
        let cell = Cell::new(destination, generation);
        let slot = cell.slot(number);
        self.insert(SlotKey::of_cell(number), cell.into())?;
        self.insert(SlotKey::of_destination(destination), Use::new(slot, now).into())?;
        Some(slot)
    }

    /// Whether the cell can be given to another destination.
    #[inline(always)]
    fn is_free(self, number: u32, now: u32) -> bool {
        let Some(entry) = self.entry(SlotKey::of_cell(number)) else {
            return true; // it was never used
        };
        let cell = Cell::from(value(entry));
        let Some(entry) = self.entry(SlotKey::of_destination(cell.destination)) else {
            return true; // there was no memory to remember that the destination has it
        };
        let held = Use::from(value(entry));
        !(held.slot.same(cell.slot(number)) && held.is_recent(now))
    }

    /// Where the free cells begin. A pod that has had no slot yet gets the entry now. Another program may do the same,
    /// and then some cells are tried that are in use by now. `None` if there is no memory.
    #[inline(always)]
    fn free_cells(self) -> Option<&'a SlotWords> {
        let entry = self.entry(SlotKey::FREE_CELLS);
        if entry.is_some() {
            return entry;
        }
        self.insert(SlotKey::FREE_CELLS, FreeCells::ALL.into())?;
        self.entry(SlotKey::FREE_CELLS)
    }

    #[inline(always)]
    fn entry(self, key: SlotKey) -> Option<&'a SlotWords> {
        self.0.get(&Key::new(SlotKey::BITS, key))
    }

    /// `None` if there is no memory.
    #[inline(always)]
    fn insert(self, key: SlotKey, value: SlotValue) -> Option<()> {
        let words = value.map(UnsafeCell::new);
        self.0.insert(&Key::new(SlotKey::BITS, key), words, 0).ok()
    }
}

/// Looks for a cell that can be given to another destination.
struct CellSearch<'a> {
    table: SlotTable<'a>,
    pod: u64,
    next: u32,
    random: u32,
    now: u32,
}

impl Search for CellSearch<'_> {
    /// Accepts a cell that is free. It is claimed then.
    #[inline(always)]
    fn accepts(&self, candidate: u32) -> bool {
        let number = number_of(self.next, self.random, candidate);
        if number >= Slot::END || !self.table.is_free(number, self.now) || !claim(self.pod, number) {
            return false;
        }
        // Another program may have given it to a destination before it was claimed.
        let free = self.table.is_free(number, self.now);
        if !free {
            release(self.pod, number);
        }
        free
    }
}

/// The number of the cell that is tried as this candidate. From [`Slot::END`] on there is none.
#[inline(always)]
fn number_of(next: u32, random: u32, candidate: u32) -> u32 {
    if candidate < TRIED_IN_ORDER {
        next.saturating_add(candidate)
    } else {
        nth_cell(random, candidate)
    }
}

/// Claims a cell. False if another program has claimed it.
#[inline(always)]
fn claim(pod: u64, number: u32) -> bool {
    SLOT_CLAIMS.insert(claimed(pod, number), 0, u64::from(BPF_NOEXIST)).is_ok()
}

#[inline(always)]
fn release(pod: u64, number: u32) {
    // It never fails: only the program that has inserted the claim removes it.
    let _removed = SLOT_CLAIMS.remove(claimed(pod, number));
}

#[inline(always)]
fn claimed(pod: u64, number: u32) -> CellClaim {
    CellClaim { netns_cookie: pod, cell: number.into() }
}
