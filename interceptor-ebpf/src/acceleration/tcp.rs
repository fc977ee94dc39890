// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The fields of the kernel's own TCP socket that no context shows. Nothing here writes to it.

use core::{ffi::c_void, ptr::NonNull};

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated::bpf_skc_to_tcp_sock};

use crate::{
    kernel_memory::{constant, kernel_field},
    socket::Socket,
};

// Offsets, in bytes, which the loader takes from the type information of the running kernel.

/// Of `write_seq` in `struct tcp_sock`.
#[unsafe(no_mangle)]
static TCP_WRITE_SEQ: usize = 0;
/// Of `sk_rmem_alloc` in `struct sock`.
#[unsafe(no_mangle)]
static SOCK_RMEM_ALLOC: usize = 0;
/// Of `skc_prot` in `struct sock`, a pointer to a `struct proto`.
#[unsafe(no_mangle)]
static SOCK_PROT: usize = 0;
/// Of `memory_allocated` in `struct proto`.
#[unsafe(no_mangle)]
static PROTO_MEMORY_ALLOCATED: usize = 0;
/// Of `sysctl_mem` in `struct proto`.
#[unsafe(no_mangle)]
static PROTO_SYSCTL_MEM: usize = 0;
/// Of `is_mptcp` in `struct tcp_sock`. Zero on a kernel without Multipath TCP.
#[unsafe(no_mangle)]
static TCP_IS_MPTCP: usize = 0;

/// The kernel's own `struct tcp_sock`, which begins with a `struct sock`.
#[derive(Clone, Copy)]
pub(crate) struct Tcp(NonNull<c_void>);

impl Tcp {
    /// `None` if the socket is not a TCP socket.
    #[inline(always)]
    pub(crate) fn of(socket: Socket) -> Option<Self> {
        // SAFETY: the helper takes any socket, and returns it or null.
        let tcp = unsafe { bpf_skc_to_tcp_sock(socket.as_ptr()) };
        NonNull::new(tcp.cast()).map(Self)
    }

    /// The kernel's address of the socket.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    /// The sequence number of the next byte that the application writes.
    #[inline(always)]
    pub(crate) fn write_seq(self) -> u32 {
        kernel_field!(self.0.as_ptr(), constant!(TCP_WRITE_SEQ) => u32)
    }

    /// How many pages TCP uses on the whole machine.
    #[inline(always)]
    pub(crate) fn memory_taken(self) -> i64 {
        let counter = kernel_field!(self.proto(), constant!(PROTO_MEMORY_ALLOCATED) => *const i64);
        // SAFETY: the verifier knows where the pointer comes from. The number is the first field of the counter.
        unsafe { counter.read_volatile() }
    }

    /// The first number of `net.ipv4.tcp_mem`, in pages. `None` if it cannot be read.
    #[inline(always)]
    pub(crate) fn memory_low(self) -> Option<i64> {
        // The verifier does not let the program follow this pointer, so a helper reads the number.
        let numbers = kernel_field!(self.proto(), constant!(PROTO_SYSCTL_MEM) => u64);
        read(numbers, 0)
    }

    /// The socket's functions. Every set of TCP functions also points to the one account of TCP's memory.
    #[inline(always)]
    fn proto(self) -> *const c_void {
        kernel_field!(self.0.as_ptr(), constant!(SOCK_PROT) => *const c_void)
    }

    /// Whether the socket is a subflow of a Multipath TCP connection.
    #[inline(always)]
    pub(crate) fn is_mptcp(self) -> bool {
        let offset = constant!(TCP_IS_MPTCP);
        if offset == 0 {
            return false; // this kernel has no Multipath TCP
        }
        kernel_field!(self.0.as_ptr(), offset => u8) != 0
    }
}

/// How much waits to be read from the socket at the kernel's `address` (`sk_rmem_alloc`): the bytes in the socket map's
/// queue, and the memory that packets received by TCP take up. `None` if the address is not mapped any longer.
///
/// If the socket is gone, the number means nothing. Then the socket is not in the map of accelerated sockets either,
/// and no message is redirected to it.
#[inline(always)]
pub(super) fn rmem_alloc_of(address: u64) -> Option<u32> {
    read(address, constant!(SOCK_RMEM_ALLOC))
}

/// Reads kernel memory. `None` if the address is not mapped.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the kernel's words have 64 bits")]
fn read<T>(address: u64, offset: usize) -> Option<T> {
    let field = core::ptr::with_exposed_provenance::<T>(address as usize).wrapping_byte_add(offset);
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(field) }.ok()
}
