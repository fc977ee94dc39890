// SPDX-License-Identifier: Apache-2.0 OR MIT
//! System calls that no crate in use wraps.

use std::{
    ffi::{CStr, CString},
    io,
    os::{
        fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use nix::libc;

use super::interrupted::retry_loading;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_LINK_UPDATE: libc::c_int = 29;

/// `union bpf_attr` as `BPF_OBJ_PIN` and `BPF_OBJ_GET` read it
/// ([`bpf.h`](https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/bpf.h#L1610)).
#[repr(C)]
struct ObjAttr {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// As `BPF_PROG_ATTACH` reads it.
#[repr(C)]
struct ProgAttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// As `BPF_PROG_QUERY` reads and writes it.
#[repr(C)]
struct ProgQueryAttr {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
}

/// As `BPF_RAW_TRACEPOINT_OPEN` reads it.
#[repr(C)]
struct RawTracepointAttr {
    name: u64,
    prog_fd: u32,
    padding: u32,
}

/// As `BPF_LINK_CREATE` reads it.
#[repr(C)]
struct LinkCreateAttr {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

/// As `BPF_LINK_UPDATE` reads it.
#[repr(C)]
struct LinkUpdateAttr {
    link_fd: u32,
    new_prog_fd: u32,
    flags: u32,
    old_prog_fd: u32,
}

/// As `BPF_PROG_LOAD` reads it; what it does not have is zero.
#[repr(C)]
struct ProgLoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// `struct bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    code: u8,
    /// The destination in the lower half, the source in the upper one.
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    pub(crate) const fn new(code: u8, registers: u8, offset: i16, immediate: i32) -> Self {
        Self { code, registers, offset, immediate }
    }
}

/// Loads a program of type `BPF_PROG_TYPE_SK_LOOKUP`. Linux 5.9.
pub(crate) fn bpf_prog_load_sk_lookup(name: &CStr, instructions: &[Instruction]) -> io::Result<OwnedFd> {
    const BPF_PROG_TYPE_SK_LOOKUP: u32 = 30;
    const BPF_SK_LOOKUP: u32 = 36;
    let license = c"Dual MIT/GPL";
    let mut prog_name = [0; 16];
    for (place, letter) in prog_name.iter_mut().take(15).zip(name.to_bytes()) {
        *place = *letter;
    }
    let attr = ProgLoadAttr {
        prog_type: BPF_PROG_TYPE_SK_LOOKUP,
        insn_cnt: u32::try_from(instructions.len()).map_err(io::Error::other)?,
        insns: instructions.as_ptr().addr() as u64,
        license: license.as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name,
        prog_ifindex: 0,
        expected_attach_type: BPF_SK_LOOKUP,
    };
    let is_interruption = |error: &io::Error| error.raw_os_error() == Some(libc::EAGAIN);
    retry_loading(is_interruption, || owned(bpf(BPF_PROG_LOAD, &attr)))
}

/// Opens what is pinned at `path`, of whatever kind it is. Linux 4.4.
pub(crate) fn bpf_obj_get(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attr = ObjAttr { pathname: path.as_ptr().addr() as u64, bpf_fd: 0, file_flags: 0 };
    owned(bpf(BPF_OBJ_GET, &attr))
}

/// Pins a program, map or link. Linux 4.4.
pub(crate) fn bpf_obj_pin(object: &impl AsRawFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attr = ObjAttr {
        pathname: path.as_ptr().addr() as u64,
        bpf_fd: object.as_raw_fd().cast_unsigned(),
        file_flags: 0,
    };
    if bpf(BPF_OBJ_PIN, &attr) == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Attaches a program to a cgroup or a network namespace for as long as the link lives. aya attaches as well, but
/// keeps some of its links to itself, so that they cannot be pinned. Linux 5.7.
pub(crate) fn bpf_link_create(program: &impl AsRawFd, target: &impl AsRawFd, attach_type: u32) -> io::Result<OwnedFd> {
    let [prog_fd, target_fd] = [program.as_raw_fd(), target.as_raw_fd()].map(RawFd::cast_unsigned);
    owned(bpf(
        BPF_LINK_CREATE,
        &LinkCreateAttr { prog_fd, target_fd, attach_type, flags: 0 },
    ))
}

/// Attaches a program to an interface of the calling thread's network namespace, for as long as the link and the
/// interface live. Linux 6.6.
pub(crate) fn bpf_link_create_at_interface(
    program: &impl AsRawFd,
    interface: u32,
    attach_type: u32,
) -> io::Result<OwnedFd> {
    let prog_fd = program.as_raw_fd().cast_unsigned();
    // Such links have the index of the interface in the place of the target's descriptor.
    owned(bpf(
        BPF_LINK_CREATE,
        &LinkCreateAttr { prog_fd, target_fd: interface, attach_type, flags: 0 },
    ))
}

/// Puts another program of the same kind in the place of a link's, in one step: whatever runs meanwhile runs the one or
/// the other. Links to cgroups (Linux 5.7), network namespaces (5.8) and interfaces (6.6); not of tracing programs.
pub(crate) fn bpf_link_update(link: &impl AsRawFd, program: &impl AsRawFd) -> io::Result<()> {
    let [link_fd, new_prog_fd] = [link.as_raw_fd(), program.as_raw_fd()].map(RawFd::cast_unsigned);
    let attr = LinkUpdateAttr { link_fd, new_prog_fd, flags: 0, old_prog_fd: 0 };
    if bpf(BPF_LINK_UPDATE, &attr) == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Attaches a program to a map, for as long as the map has users. aya detaches when its own object goes. Linux 4.14.
pub(crate) fn bpf_prog_attach(program: &impl AsRawFd, map: &impl AsRawFd, attach_type: u32) -> io::Result<()> {
    let [target_fd, attach_bpf_fd] = [map.as_raw_fd(), program.as_raw_fd()].map(RawFd::cast_unsigned);
    let attr = ProgAttachAttr { target_fd, attach_bpf_fd, attach_type, attach_flags: 0 };
    if bpf(BPF_PROG_ATTACH, &attr) == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The ids of the programs that are attached to a network namespace, or to a cgroup itself. Linux 5.9 for the former.
pub(crate) fn bpf_prog_query(target: &impl AsRawFd, attach_type: u32) -> io::Result<Vec<u32>> {
    const MOST: u32 = 64; // of a network namespace and of a cgroup
    let mut ids = vec![0_u32; MOST as usize];
    let mut attr = ProgQueryAttr {
        target_fd: target.as_raw_fd().cast_unsigned(),
        attach_type,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr().expose_provenance() as u64,
        prog_cnt: MOST,
        padding: 0,
    };
    if bpf_writing(BPF_PROG_QUERY, &mut attr) != 0 {
        return Err(io::Error::last_os_error());
    }
    ids.truncate(attr.prog_cnt as usize);
    Ok(ids)
}

/// Attaches a tracing program to the function it was loaded for, for as long as the link lives. Linux 5.5.
pub(crate) fn bpf_raw_tracepoint_open(program: &impl AsRawFd) -> io::Result<OwnedFd> {
    let attr = RawTracepointAttr { name: 0, prog_fd: program.as_raw_fd().cast_unsigned(), padding: 0 };
    owned(bpf(BPF_RAW_TRACEPOINT_OPEN, &attr))
}

pub(super) fn bpf<T>(command: libc::c_int, attr: &T) -> libc::c_long {
    // SAFETY: the attribute is one of this folder's, its true size is passed, and what it points to outlives the call.
    unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attr), size_of::<T>()) }
}

/// The same for a command whose answer is in its attribute.
fn bpf_writing<T>(command: libc::c_int, attr: &mut T) -> libc::c_long {
    // SAFETY: the attribute is one of this file's, its true size is passed, and what it points to is large enough for
    // the count in it.
    unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) }
}

pub(super) fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(fd) {
        // SAFETY: the kernel has just returned this descriptor, and nobody else has it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
