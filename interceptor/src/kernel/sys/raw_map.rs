// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A map whose types this build may not know: its keys and values are bytes, as many as the kernel says.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use aya::maps::{MapData, MapInfo, MapType};
use nix::libc;

use super::bpf::bpf;

const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
pub(super) const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_MAP_DELETE_ELEM: libc::c_int = 3;
const BPF_MAP_GET_NEXT_KEY: libc::c_int = 4;

/// `union bpf_attr` as the commands for elements read it.
#[repr(C)]
pub(super) struct ElementAttr {
    pub(super) map_fd: u32,
    pub(super) padding: u32,
    pub(super) key: u64,
    /// Or the place for the next key.
    pub(super) value: u64,
    pub(super) flags: u64,
}

/// A map.
pub(crate) struct RawMap {
    data: MapData,
    info: MapInfo,
    /// How many values an entry has: one for each processor, or one.
    values: usize,
    /// How many bytes a value takes. The kernel keeps the value of each processor at a multiple of eight bytes.
    stride: usize,
}

impl RawMap {
    /// Opens what is pinned there.
    pub(crate) fn open(pin: &Path) -> Result<Self> {
        let opened = MapData::from_pin(pin).map_err(anyhow::Error::from).and_then(Self::new);
        opened.with_context(|| format!("Failed to open the map {}", pin.display()))
    }

    /// Opens the map with this id. Needs `CAP_SYS_ADMIN`. Linux 4.13.
    pub(crate) fn of_id(id: u32) -> Result<Self> {
        let opened = MapData::from_id(id).map_err(anyhow::Error::from).and_then(Self::new);
        opened.with_context(|| format!("Failed to open the map with the id {id}"))
    }

    /// Makes an empty trie. A key has four bytes more than its data, for the length of the prefix. Linux 4.11.
    pub(crate) fn new_trie(key_size: u32, value_size: u32, max_entries: u32) -> Result<Self> {
        const BPF_F_NO_PREALLOC: u32 = 1;
        let kind = MapType::LpmTrie as u32;
        let trie = aya_obj::Map::new_from_params(kind, key_size, value_size, max_entries, BPF_F_NO_PREALLOC);
        let made = MapData::create(trie, "trie", None)
            .map_err(anyhow::Error::from)
            .and_then(Self::new);
        made.context("Failed to make a trie")
    }

    fn new(data: MapData) -> Result<Self> {
        let info = data.info()?;
        let kind = info.map_type()?;
        let is_per_cpu = matches!(kind, MapType::PerCpuHash | MapType::LruPerCpuHash | MapType::PerCpuArray);
        let cpus = aya::util::nr_cpus();
        let cpus = cpus.map_err(|(path, error)| anyhow::anyhow!("Failed to count the processors ({path}): {error}"))?;
        let size = info.value_size() as usize;
        let (values, stride) = if is_per_cpu { (cpus, size.next_multiple_of(8)) } else { (1, size) };
        Ok(Self { data, info, values, stride })
    }

    /// The map in a map of maps. `None` if there is no such entry.
    pub(crate) fn map_at(&self, key: &[u8]) -> Result<Option<Self>> {
        let id = match self.get(key)?.as_deref() {
            Some([id]) => u32::from_ne_bytes(id.as_slice().try_into().context("A map of maps has ids as values")?),
            _ => return Ok(None),
        };
        Self::of_id(id).map(Some)
    }

    /// Puts a map into a map of maps. The kernel then waits for all programs that are running.
    pub(crate) fn set_map_at(&self, key: &[u8], map: &Self) -> io::Result<()> {
        let fd = map.data.fd().as_fd().as_raw_fd();
        self.set(key, &[fd.to_ne_bytes().to_vec()])
    }

    /// What the kernel says of it.
    pub(crate) const fn info(&self) -> &MapInfo {
        &self.info
    }

    /// All keys.
    pub(crate) fn keys(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut next = vec![0; self.info.key_size() as usize];
            let found = self.call(BPF_MAP_GET_NEXT_KEY, keys.last().map(Vec::as_slice), &mut next)?;
            if !found {
                return Ok(keys);
            }
            keys.push(next);
        }
    }

    /// The values of an entry, one for each processor, or one. `None` if there is no such entry.
    pub(crate) fn get(&self, key: &[u8]) -> io::Result<Option<Vec<Vec<u8>>>> {
        let (size, stride) = (self.info.value_size() as usize, self.stride);
        let mut bytes = vec![0; stride * self.values];
        let found = self.call(BPF_MAP_LOOKUP_ELEM, Some(key), &mut bytes)?;
        Ok(found.then(|| bytes.chunks_exact(stride).map(|value| value[..size].to_vec()).collect()))
    }

    /// Writes an entry. The sizes must be those of the map.
    pub(crate) fn set(&self, key: &[u8], values: &[Vec<u8>]) -> io::Result<()> {
        let (size, stride) = (self.info.value_size() as usize, self.stride);
        if values.len() != self.values || values.iter().any(|value| value.len() != size) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("A value has {size} bytes")));
        }
        let mut bytes = vec![0; stride * self.values];
        for (place, value) in bytes.chunks_exact_mut(stride).zip(values) {
            place[..size].copy_from_slice(value);
        }
        if self.call(BPF_MAP_UPDATE_ELEM, Some(key), &mut bytes)? {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Removes an entry. One that is not there is fine.
    pub(crate) fn remove(&self, key: &[u8]) -> io::Result<()> {
        self.call(BPF_MAP_DELETE_ELEM, Some(key), &mut []).map(drop)
    }

    /// False if there is no such entry. `value` has room for what the command writes.
    fn call(&self, command: libc::c_int, key: Option<&[u8]>, value: &mut [u8]) -> io::Result<bool> {
        if key.is_some_and(|key| key.len() != self.info.key_size() as usize) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "The key is not as long as the map's keys",
            ));
        }
        // The kernel wants nothing where a command has no value.
        let value = if value.is_empty() { 0 } else { value.as_mut_ptr().expose_provenance() as u64 };
        let attr = ElementAttr {
            map_fd: self.data.fd().as_fd().as_raw_fd().cast_unsigned(),
            padding: 0,
            key: key.map_or(0, |key| key.as_ptr().expose_provenance() as u64),
            value,
            flags: 0,
        };
        if bpf(command, &attr) == 0 {
            return Ok(true);
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::NotFound => Ok(false),
            error => Err(error),
        }
    }
}
