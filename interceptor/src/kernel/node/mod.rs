// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 3: what is pinned on this node: the maps, programs and links of all pods. It never decides what a pod needs.

pub(crate) mod acceleration;
pub(crate) mod bpffs;
pub(crate) mod builds;
pub(crate) mod changed_tables;
pub(crate) mod conversion;
mod entries;
mod generations;
pub(crate) mod guard;
pub(crate) mod layout;
pub(crate) mod links;
pub(crate) mod lock;
pub(crate) mod maps;
pub(crate) mod moving;
#[cfg(feature = "other-abi")]
mod other_abi;
pub(crate) mod other_version;
pub(crate) mod pinned;
pub(crate) mod removal;
pub(crate) mod slot_tables;
pub(crate) mod staging;
pub(crate) mod status;
pub(crate) mod trace;
mod traces;
pub(crate) mod versions;
