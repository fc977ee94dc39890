// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A socket, as programs see it. Nothing here changes it.

use core::{ffi::c_void, ptr::NonNull};

use aya_ebpf::{bindings::bpf_sock, helpers::generated::bpf_skc_to_mptcp_sock};
use interceptor_policy::Address;

use crate::{
    ctx::{AF_INET6, field},
    kernel_memory::constant,
};

/// Whether the kernel knows MPTCP: without it, the verifier refuses the helper for it.
#[unsafe(no_mangle)]
static HAS_MPTCP: u64 = 0;

/// A full socket, as `struct bpf_sock` shows it. Every field is read on its own and at once: the verifier refuses
/// pointer arithmetic that the compiler might choose instead.
#[derive(Clone, Copy)]
pub(crate) struct Socket(NonNull<bpf_sock>);

impl Socket {
    /// None when the context has no full socket.
    #[inline(always)]
    pub(crate) const fn new(sock: *mut bpf_sock) -> Option<Self> {
        match NonNull::new(sock) {
            Some(sock) => Some(Self(sock)),
            None => None,
        }
    }

    #[inline(always)]
    pub(crate) const fn as_ptr(self) -> *mut c_void {
        self.0.as_ptr().cast()
    }

    /// The index of the interface that the socket is bound to, or 0.
    #[inline(always)]
    pub(crate) fn bound_interface(self) -> u32 {
        field!(self.0.as_ptr(), bound_dev_if)
    }

    /// `SO_MARK`.
    #[inline(always)]
    pub(crate) fn mark(self) -> u32 {
        field!(self.0.as_ptr(), mark)
    }

    #[inline(always)]
    pub(crate) const fn as_non_null(self) -> NonNull<c_void> {
        self.0.cast()
    }

    /// The MPTCP socket whose subflow this is: the one that a process made, and that everything about its maker is kept
    /// with. The kernel makes subflows itself, and connects and listens with them (Linux 5.19).
    #[inline(always)]
    pub(crate) fn whole(self) -> Option<NonNull<c_void>> {
        if constant!(HAS_MPTCP) == 0 {
            return None;
        }
        // SAFETY: takes any socket, and answers null for all but subflows.
        NonNull::new(unsafe { bpf_skc_to_mptcp_sock(self.as_ptr()) }.cast())
    }

    /// `IPPROTO_…`.
    #[inline(always)]
    pub(crate) fn protocol(self) -> u32 {
        field!(self.0.as_ptr(), protocol)
    }

    /// What the socket is bound to, or was accepted on.
    #[inline(always)]
    pub(crate) fn local_address(self) -> Address {
        let v4 = field!(self.0.as_ptr(), src_ip4);
        let v6 = [
            field!(self.0.as_ptr(), src_ip6[0]),
            field!(self.0.as_ptr(), src_ip6[1]),
            field!(self.0.as_ptr(), src_ip6[2]),
            field!(self.0.as_ptr(), src_ip6[3]),
        ];
        address(field!(self.0.as_ptr(), family), v4, v6)
    }

    /// Host byte order.
    #[inline(always)]
    pub(crate) fn local_port(self) -> u16 {
        low_half(field!(self.0.as_ptr(), src_port))
    }

    /// `BPF_TCP_…`.
    #[inline(always)]
    pub(crate) fn state(self) -> u32 {
        field!(self.0.as_ptr(), state)
    }

    /// What the socket is connected to.
    #[inline(always)]
    pub(crate) fn peer_address(self) -> Address {
        let v4 = field!(self.0.as_ptr(), dst_ip4);
        let v6 = [
            field!(self.0.as_ptr(), dst_ip6[0]),
            field!(self.0.as_ptr(), dst_ip6[1]),
            field!(self.0.as_ptr(), dst_ip6[2]),
            field!(self.0.as_ptr(), dst_ip6[3]),
        ];
        address(field!(self.0.as_ptr(), family), v4, v6)
    }

    /// Host byte order.
    #[inline(always)]
    pub(crate) fn peer_port(self) -> u16 {
        u16::from_be(field!(self.0.as_ptr(), dst_port))
    }
}

/// The address of a family. Contexts have fields for both; the caller reads all of them, because of reads in two
/// branches the compiler would make one at a computed offset, which the verifier refuses.
#[inline(always)]
pub(crate) fn address(family: u32, v4_be: u32, v6: [u32; 4]) -> Address {
    if family == u32::from(AF_INET6) {
        Address(v6)
    } else {
        Address::from_v4_be(v4_be)
    }
}

/// Ports come in the low half of a word.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the upper half is always zero")]
pub(crate) const fn low_half(word: u32) -> u16 {
    word as u16
}
