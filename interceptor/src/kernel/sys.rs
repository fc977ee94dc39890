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

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const BPF_LINK_CREATE: libc::c_int = 28;

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
pub(super) struct Instruction {
    code: u8,
    /// The destination in the lower half, the source in the upper one.
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    pub(super) const fn new(code: u8, registers: u8, offset: i16, immediate: i32) -> Self {
        Self { code, registers, offset, immediate }
    }
}

/// Loads a program of type `BPF_PROG_TYPE_SK_LOOKUP`. Linux 5.9.
pub(super) fn bpf_prog_load_sk_lookup(name: &CStr, instructions: &[Instruction]) -> io::Result<OwnedFd> {
    const BPF_PROG_TYPE_SK_LOOKUP: u32 = 30;
    const BPF_SK_LOOKUP: u32 = 36;
    let license = c"Dual MIT/GPL";
    let mut prog_name = [0; 16];
    for (place, letter) in prog_name.iter_mut().take(15).zip(name.to_bytes()) {
        *place = *letter;
    }
    owned(bpf(
        BPF_PROG_LOAD,
        &ProgLoadAttr {
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
        },
    ))
}

/// Opens what is pinned at `path`, of whatever kind it is. Linux 4.4.
pub(super) fn bpf_obj_get(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attr = ObjAttr { pathname: path.as_ptr().addr() as u64, bpf_fd: 0, file_flags: 0 };
    owned(bpf(BPF_OBJ_GET, &attr))
}

/// Pins a program, map or link. Linux 4.4.
pub(super) fn bpf_obj_pin(object: &impl AsRawFd, path: &Path) -> io::Result<()> {
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

/// Attaches a program to a cgroup or a network namespace for as long as the link lives. aya attaches as well, but keeps
/// some of its links to itself, so that they cannot be pinned. Linux 5.7.
pub(super) fn bpf_link_create(program: &impl AsRawFd, target: &impl AsRawFd, attach_type: u32) -> io::Result<OwnedFd> {
    let [prog_fd, target_fd] = [program.as_raw_fd(), target.as_raw_fd()].map(RawFd::cast_unsigned);
    owned(bpf(
        BPF_LINK_CREATE,
        &LinkCreateAttr { prog_fd, target_fd, attach_type, flags: 0 },
    ))
}

/// Attaches a program to a map, for as long as the map has users. aya detaches when its own object goes. Linux 4.14.
pub(super) fn bpf_prog_attach(program: &impl AsRawFd, map: &impl AsRawFd, attach_type: u32) -> io::Result<()> {
    let [target_fd, attach_bpf_fd] = [map.as_raw_fd(), program.as_raw_fd()].map(RawFd::cast_unsigned);
    let attr = ProgAttachAttr { target_fd, attach_bpf_fd, attach_type, attach_flags: 0 };
    if bpf(BPF_PROG_ATTACH, &attr) == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Attaches a tracing program to the function it was loaded for, for as long as the link lives. Linux 5.5.
pub(super) fn bpf_raw_tracepoint_open(program: &impl AsRawFd) -> io::Result<OwnedFd> {
    let attr = RawTracepointAttr { name: 0, prog_fd: program.as_raw_fd().cast_unsigned(), padding: 0 };
    owned(bpf(BPF_RAW_TRACEPOINT_OPEN, &attr))
}

fn bpf<T>(command: libc::c_int, attr: &T) -> libc::c_long {
    // SAFETY: the attribute is one of the above, its true size is passed, and what it points to outlives the call.
    unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attr), size_of::<T>()) }
}

/// Waits until every kernel program that was running has ended (`MEMBARRIER_CMD_GLOBAL`, Linux 4.3, is
/// `synchronize_rcu()`,
/// [`membarrier.c`](https://github.com/torvalds/linux/blob/v6.12/kernel/sched/membarrier.c#L617)).
pub(super) fn wait_for_programs() -> io::Result<()> {
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    // SAFETY: takes no pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The cookie of the network namespace that a socket was made in (`SO_NETNS_COOKIE`, Linux 5.14).
pub(super) fn netns_cookie(socket: &impl AsRawFd) -> io::Result<u64> {
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let mut cookie = 0_u64;
    let mut length: libc::socklen_t = 8;
    // SAFETY: the kernel writes at most `length` bytes into `cookie`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

/// The user namespace that owns a namespace (`NS_GET_USERNS`, Linux 4.9; not from within a user namespace below it).
pub(super) fn owning_user_namespace(namespace: &impl AsRawFd) -> io::Result<OwnedFd> {
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    // SAFETY: takes no argument.
    owned(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS) }.into())
}

/// A duplicate of another process's file descriptor (`pidfd_getfd`, Linux 5.6; needs `CAP_SYS_PTRACE`).
pub(super) fn borrow_fd(pid: i32, fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: takes no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

/// How many bytes a socket has to read (`FIONREAD`).
pub(super) fn bytes_to_read(socket: &impl AsRawFd) -> io::Result<i32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes an int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if result == 0 { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

/// Whether `poll` says that a socket has something to read.
pub(super) fn is_readable(socket: &impl AsRawFd) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the kernel reads and writes one entry.
    let result = unsafe { libc::poll(&raw mut entry, 1, 0) };
    if result >= 0 {
        Ok(entry.revents & libc::POLLIN != 0)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Brings up `lo` in the calling thread's network namespace, where it is down at first.
pub(super) fn bring_loopback_up() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: all bytes zero is a valid `struct ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = libc::c_char::try_from(b'l').unwrap_or_default();
    request.ifr_name[1] = libc::c_char::try_from(b'o').unwrap_or_default();
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).unwrap_or_default();
    // SAFETY: the kernel reads the name and the flags, both of which are set.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(fd) {
        // SAFETY: the kernel has just returned this descriptor, and nobody else has it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
