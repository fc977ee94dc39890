// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting until no kernel program can see any longer what was there before. It changes nothing that others see.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::libc;

use super::{
    bpf::{bpf, owned},
    raw_map::{BPF_MAP_UPDATE_ELEM, ElementAttr},
};

const BPF_MAP_CREATE: libc::c_int = 0;

const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;

/// `union bpf_attr` as `BPF_MAP_CREATE` reads it; what it does not have is zero.
#[repr(C)]
struct MapCreateAttr {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
}

/// Waits until every kernel program that was running has ended. Linux 4.20.
///
/// When a map is put into a map of maps, the kernel waits for that, so that no program uses the map that was there
/// before (`maybe_wait_bpf_programs` in
/// [`syscall.c`](https://github.com/torvalds/linux/blob/v6.12/kernel/bpf/syscall.c)). `membarrier()` waits as well, but
/// not on machines with one processor, and it fails where processors run without a tick (`nohz_full`,
/// [`membarrier.c`](https://github.com/torvalds/linux/blob/v6.12/kernel/sched/membarrier.c#L617)).
pub(crate) fn wait_for_programs() -> io::Result<()> {
    let inner = array_of_one(BPF_MAP_TYPE_ARRAY, None)?;
    let outer = array_of_one(BPF_MAP_TYPE_ARRAY_OF_MAPS, Some(&inner))?;
    let (key, value) = (0_u32, inner.as_raw_fd());
    let attr = ElementAttr {
        map_fd: outer.as_raw_fd().cast_unsigned(),
        padding: 0,
        key: (&raw const key).addr() as u64,
        value: (&raw const value).addr() as u64,
        flags: 0,
    };
    if bpf(BPF_MAP_UPDATE_ELEM, &attr) == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn array_of_one(map_type: u32, inner: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    let attr = MapCreateAttr {
        map_type,
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        map_flags: 0,
        inner_map_fd: inner.map_or(0, |inner| inner.as_raw_fd().cast_unsigned()),
    };
    owned(bpf(BPF_MAP_CREATE, &attr))
}
