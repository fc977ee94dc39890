// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pods' tables of slots, when pods move to a version of the ABI that has another layout of them.
//!
//! Programs read and write tables all the time, and links change from one version's programs to the other's one by one.
//! So programs of both give out slots for a while, each in its own tables. (After a run that was killed, that while
//! lasts until the next run.) No connection is shown a wrong destination, or none, because:
//!
//! 1. A version gives out its own half of the cells only ([`Slot::FIRST`]). So one number never means two destinations.
//! 2. The newer version's programs read the tables of both (`FORMER_SLOTS`). Those of the older one read their own.
//! 3. While any program of the newer version gives out slots, no program of the older one reads them. So when pods move
//!    to the newer version, the programs that read are replaced first, and then those that give out. On the way back it
//!    is the other order. In between, when nobody gives out slots in the tables that are left, what was given out there
//!    is copied to the tables that stay.
//! 4. A copy never touches a cell that programs give out in the table to which it copies, because that is the other
//!    half. An entry of a cell is never changed, only replaced, so a reader sees the one or the other.
//!
//! `connect()` and `sendto()` give out slots and belong to the older version while a program of it gives any out. The
//! older one's `connect()` may find in a socket the slot of an earlier connection that the newer version gave out, and
//! not know its destination. It then keeps the source of that connection, which is a source that the socket had.

use std::{collections::HashSet, thread};

use anyhow::{Context as _, Result, bail};
use interceptor_policy::{Cell, FreeCells, Slot, SlotKey, SlotValue, Use, maps};
use zerocopy::{FromBytes as _, IntoBytes as _};

use crate::kernel::{
    node::{layout::Layout, other_version::ChangedTables},
    sys::{self, raw_map::RawMap},
};

/// So many tables are put into their map at once. The kernel waits for each, and for all of them together.
const AT_ONCE: usize = 64;
/// Of the length of a prefix, in front of each key.
const PREFIX_LEN: usize = size_of::<u32>();

/// Gives every pod of one version a table of the other, before programs look at it. Pods that have gone lose theirs.
pub(crate) fn prepare(changed: &ChangedTables, to_other: bool, from: &Layout, to: &Layout) -> Result<()> {
    let copying = Copying { changed, to_other };
    let (from, to) = (open(from)?, open(to)?);
    let (mut pods, mut added) = (HashSet::new(), Vec::new());
    for pod in from.keys().context("Failed to read the tables of slots")? {
        let Some(source) = from.map_at(&pod)? else { continue };
        match to.map_at(&pod)? {
            Some(target) => copying.given_out(&source, &target)?,
            None => added.push((pod.clone(), copying.table_of(&source)?)),
        }
        pods.insert(pod);
    }
    at_once(&added, |(pod, table)| {
        to.set_map_at(pod, table).context("Failed to write the tables of slots")
    })?;
    remove(&to, |pod| !pods.contains(pod))
}

/// Copies the slots that programs of one version have given out. None of them does any longer.
pub(crate) fn copy(changed: &ChangedTables, to_other: bool, from: &Layout, to: &Layout) -> Result<()> {
    let copying = Copying { changed, to_other };
    let (from, to) = (open(from)?, open(to)?);
    for pod in to.keys().context("Failed to read the tables of slots")? {
        if let (Some(source), Some(target)) = (from.map_at(&pod)?, to.map_at(&pod)?) {
            copying.given_out(&source, &target)?;
        }
    }
    Ok(())
}

/// Removes the tables of a version that has no pods any more.
pub(crate) fn retire(layout: &Layout) -> Result<()> {
    remove(&open(layout)?, |_pod| true)
}

/// From one version to the other.
#[derive(Clone, Copy)]
struct Copying<'a> {
    changed: &'a ChangedTables,
    to_other: bool,
}

/// A cell of either version, and its entry as the version writes it to which it is copied.
struct CopiedCell {
    number: u32,
    key: Vec<u8>,
    value: Vec<u8>,
    /// As this version has it.
    cell: Cell,
}

impl Copying<'_> {
    /// Copies the cells that the version gives out from which pods come.
    fn given_out(self, source: &RawMap, target: &RawMap) -> Result<()> {
        let first = if self.to_other { Slot::FIRST } else { self.changed.other_first };
        let given_out = self
            .cells(source)?
            .into_iter()
            .filter(|copied| is_in_half(copied.number, first));
        given_out
            .into_iter()
            .try_for_each(|copied| {
                let is_there = target
                    .get(&copied.key)?
                    .is_some_and(|values| values == [copied.value.as_slice()]);
                if is_there { Ok(()) } else { target.set(&copied.key, &[copied.value]) }
            })
            .context("Failed to copy a table of slots")
    }

    /// A new table with all cells of another one. Destinations of cells that the version gives out to which pods come
    /// keep them, and other cells follow after these.
    fn table_of(self, source: &RawMap) -> Result<RawMap> {
        let size = if self.to_other {
            self.changed.other_value_size
        } else {
            size_of::<SlotValue>()
        };
        let table = RawMap::new_trie(source.info().key_size(), u32::try_from(size)?, SlotKey::MAX_ENTRIES)?;
        let first = if self.to_other { self.changed.other_first } else { Slot::FIRST };
        let now = u32::try_from(sys::time_awake().context("Failed to read the clock")?.as_secs())?;
        let mut next = first;
        for CopiedCell { number, key, value, cell } in self.cells(source)? {
            if is_in_half(number, first) {
                next = next.max(number + 1);
                let used = Use::new(cell.slot(number), now);
                table.set(&raw_key(SlotKey::of_destination(cell.destination)), &[self.value(used.into())])?;
            }
            table.set(&key, &[value])?;
        }
        if next > first {
            let free = FreeCells::beginning_with(next);
            table.set(&raw_key(SlotKey::FREE_CELLS), &[self.value(free.into())])?;
        }
        Ok(table)
    }

    /// All cells of a table.
    fn cells(self, source: &RawMap) -> Result<Vec<CopiedCell>> {
        let context = "Failed to read a table of slots";
        let mut cells = Vec::new();
        for key in source.keys().context(context)?.into_iter().collect::<HashSet<_>>() {
            let number = SlotKey::read_from_bytes(key.get(PREFIX_LEN..).unwrap_or_default());
            let Some(number) = number.ok().and_then(|key| key.cell()) else { continue };
            let Some(values) = source.get(&key).context(context)? else { continue };
            let [read] = values.as_slice() else { bail!("A cell has one value") };
            let own = if self.to_other { read.clone() } else { (self.changed.from_other)(read) };
            let Ok(own) = SlotValue::read_from_bytes(&own) else {
                bail!("A cell has another size than it should have")
            };
            cells.push(CopiedCell { number, key, value: self.value(own), cell: own.into() });
        }
        Ok(cells)
    }

    /// A value of this version as the version writes it to which pods come.
    fn value(self, own: SlotValue) -> Vec<u8> {
        if self.to_other {
            (self.changed.to_other)(own.as_bytes())
        } else {
            own.as_bytes().to_vec()
        }
    }
}

const fn is_in_half(cell: u32, first: u32) -> bool {
    first <= cell && cell < first + Slot::CELLS
}

/// A key as the kernel reads it: the length of the prefix, and the data.
fn raw_key(key: SlotKey) -> Vec<u8> {
    [SlotKey::BITS.as_bytes(), key.as_bytes()].concat()
}

fn open(layout: &Layout) -> Result<RawMap> {
    RawMap::open(&layout.maps().join(maps::SLOTS.as_str()))
}

fn remove(tables: &RawMap, is_meant: impl Fn(&[u8]) -> bool) -> Result<()> {
    let context = "Failed to remove a table of slots";
    let mut pods = tables.keys().context(context)?;
    pods.retain(|pod| is_meant(pod));
    at_once(&pods, |pod| tables.remove(pod).context(context))
}

/// Calls `change` for each, in several threads.
fn at_once<T: Sync>(changes: &[T], change: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    changes.chunks(AT_ONCE).try_for_each(|some| {
        thread::scope(|scope| {
            let callers: Vec<_> = some.iter().map(|one| scope.spawn(|| change(one))).collect();
            callers
                .into_iter()
                .try_for_each(|caller| caller.join().unwrap_or_else(|_panic| bail!("A thread ended by a panic")))
        })
    })
}
