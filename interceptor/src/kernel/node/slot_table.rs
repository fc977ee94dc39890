// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's table of slots. Each pod has its own, which the memory cgroup of whoever enrolls it pays for.

use anyhow::{Context as _, Result};
use aya::maps::{
    MapData,
    lpm_trie::{Key, LpmTrie},
};
use interceptor_policy::{FreeCells, SlotKey};

use crate::kernel::sys::pod_type::Raw;

const BPF_F_NO_PREALLOC: u32 = 1;

/// A table, as far as the loader uses it.
pub(crate) type SlotTable = LpmTrie<MapData, Raw<SlotKey>, Raw<FreeCells>>;

/// A table without slots. Linux 4.11.
pub(crate) fn create() -> Result<SlotTable> {
    let mut table =
        LpmTrie::create(SlotKey::MAX_ENTRIES, BPF_F_NO_PREALLOC).context("Failed to create a table of slots")?;
    let key = Key::new(SlotKey::BITS, Raw(SlotKey::FREE_CELLS));
    table
        .insert(&key, Raw(FreeCells::default()), 0)
        .context("Failed to write a table of slots")?;
    Ok(table)
}
