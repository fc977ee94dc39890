// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What only the kernel's own `struct tcp_sock` tells. Nothing here changes it.

use core::{ffi::c_void, ptr::NonNull};

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated::bpf_skc_to_tcp_sock};

use crate::{
    kernel_memory::{constant, kernel_field},
    socket::Socket,
};

/// Where the running kernel keeps these fields of `struct tcp_sock` and of the `struct sock` that it begins with, in
/// bytes; set by the loader from the kernel's type information.
#[unsafe(no_mangle)]
static TCP_WRITE_SEQ: usize = 0;
#[unsafe(no_mangle)]
static SOCK_RMEM_ALLOC: usize = 0;
/// `skc_prot`, and two fields of the `struct proto` that it points to.
#[unsafe(no_mangle)]
static SOCK_PROT: usize = 0;
#[unsafe(no_mangle)]
static PROTO_MEMORY_ALLOCATED: usize = 0;
#[unsafe(no_mangle)]
static PROTO_SYSCTL_MEM: usize = 0;
/// Zero on a kernel without Multipath TCP.
#[unsafe(no_mangle)]
static TCP_IS_MPTCP: usize = 0;

/// A TCP socket as the kernel itself sees it: for what it tells no program otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Tcp(NonNull<c_void>);

impl Tcp {
    /// None when it is no TCP socket.
    #[inline(always)]
    pub(crate) fn of(socket: Socket) -> Option<Self> {
        // SAFETY: the helper takes any socket, and returns it or null.
        let tcp = unsafe { bpf_skc_to_tcp_sock(socket.as_ptr()) };
        NonNull::new(tcp.cast()).map(Self)
    }

    /// Where the kernel keeps it.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    /// The number of the next byte that the application writes (`write_seq`).
    #[inline(always)]
    pub(crate) fn write_seq(self) -> u32 {
        kernel_field!(self.0.as_ptr(), constant!(TCP_WRITE_SEQ) => u32)
    }

    /// How many pages TCP takes up on the whole machine.
    #[inline(always)]
    pub(crate) fn memory_taken(self) -> i64 {
        let counter = kernel_field!(self.proto(), constant!(PROTO_MEMORY_ALLOCATED) => *const i64);
        // SAFETY: the verifier knows where the pointer comes from, and that the number is the first of what it points
        // to.
        unsafe { counter.read_volatile() }
    }

    /// The first number of `net.ipv4.tcp_mem`, in pages. None if it cannot be read.
    #[inline(always)]
    pub(crate) fn memory_low(self) -> Option<i64> {
        // (The verifier does not let the program follow this pointer.)
        let numbers = kernel_field!(self.proto(), constant!(PROTO_SYSCTL_MEM) => u64);
        read(numbers, 0)
    }

    /// Its functions, and where all TCP sockets have their memory accounted, whatever their functions are.
    #[inline(always)]
    fn proto(self) -> *const c_void {
        kernel_field!(self.0.as_ptr(), constant!(SOCK_PROT) => *const c_void)
    }

    /// Whether it is a subflow of a Multipath TCP connection.
    #[inline(always)]
    pub(crate) fn is_mptcp(self) -> bool {
        let offset = constant!(TCP_IS_MPTCP);
        if offset == 0 {
            return false; // this kernel has no Multipath TCP
        }
        kernel_field!(self.0.as_ptr(), offset => u8) != 0
    }
}

/// How many bytes wait to be read from the socket that the kernel keeps at `address` (`sk_rmem_alloc`): those in the
/// queue of its socket map, byte for byte, and those that came by TCP, with what they take up. None if there is no
/// memory any more.
///
/// If the socket has gone meanwhile, what is read means nothing; then it is not found in the table either, and nothing
/// is sent to it.
#[inline(always)]
pub(super) fn rmem_alloc_of(address: u64) -> Option<u32> {
    read(address, constant!(SOCK_RMEM_ALLOC))
}

/// None if there is no memory.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the kernel's words have 64 bits")]
fn read<T>(address: u64, offset: usize) -> Option<T> {
    let field = core::ptr::with_exposed_provenance::<T>(address as usize).wrapping_byte_add(offset);
    // SAFETY: the helper copes with any address.
    unsafe { bpf_probe_read_kernel(field) }.ok()
}
