// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A socket, as the kernel shows it to programs. Nothing here changes the socket.

use core::{ffi::c_void, ptr::NonNull};

use aya_ebpf::{
    bindings::{BPF_TCP_SYN_SENT, bpf_sock},
    helpers::generated::bpf_skc_to_mptcp_sock,
};
use interceptor_policy::{Address, ListenerFamily};

use crate::{
    ctx::{AF_INET, AF_INET6, field},
    kernel_memory::constant,
};

const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;

/// Not zero if the kernel has MPTCP, which the loader finds out. On other kernels the verifier refuses MPTCP's helper.
#[unsafe(no_mangle)]
static HAS_MPTCP: u64 = 0;

/// A full socket, as `struct bpf_sock` shows it.
#[derive(Clone, Copy)]
pub(crate) struct Socket(NonNull<bpf_sock>);

impl Socket {
    /// `None` if the context has no full socket.
    #[inline(always)]
    pub(crate) const fn new(sock: *mut bpf_sock) -> Option<Self> {
        match NonNull::new(sock) {
            Some(sock) => Some(Self(sock)),
            None => None,
        }
    }

    /// For helpers.
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

    /// For helpers, and for maps that keep something with a socket.
    #[inline(always)]
    pub(crate) const fn as_non_null(self) -> NonNull<c_void> {
        self.0.cast()
    }

    /// The MPTCP socket whose subflow this is (Linux 5.19). A process makes the MPTCP socket, so that socket has the
    /// [`Owner`](interceptor_policy::Owner). The kernel makes the subflows, and connects and listens with them.
    #[inline(always)]
    pub(crate) fn whole(self) -> Option<NonNull<c_void>> {
        if constant!(HAS_MPTCP) == 0 {
            return None;
        }
        // SAFETY: the helper takes any socket, and returns null if the socket is not a subflow.
        NonNull::new(unsafe { bpf_skc_to_mptcp_sock(self.as_ptr()) }.cast())
    }

    /// `IPPROTO_…`.
    #[inline(always)]
    pub(crate) fn protocol(self) -> u32 {
        field!(self.0.as_ptr(), protocol)
    }

    /// The family of a listening socket.
    #[inline(always)]
    pub(crate) fn listener_family(self) -> ListenerFamily {
        if field!(self.0.as_ptr(), family) == u32::from(AF_INET6) {
            ListenerFamily::V6
        } else {
            ListenerFamily::V4
        }
    }

    /// Whether data flows in order: TCP, in each of its kinds.
    #[inline(always)]
    pub(crate) fn is_stream(self) -> bool {
        field!(self.0.as_ptr(), type_) == SOCK_STREAM
    }

    /// Whether the kernel writes the headers of all that the socket sends. It does not for raw and packet sockets.
    #[inline(always)]
    pub(crate) fn is_tcp_or_udp(self) -> bool {
        let (kind, family) = (field!(self.0.as_ptr(), type_), field!(self.0.as_ptr(), family));
        let internet = family == u32::from(AF_INET) || family == u32::from(AF_INET6);
        internet && (kind == SOCK_STREAM || kind == SOCK_DGRAM)
    }

    /// Whether the socket has sent, or is about to send, its SYN, and was not answered.
    #[inline(always)]
    pub(crate) fn is_dialing(self) -> bool {
        self.state() == BPF_TCP_SYN_SENT
    }

    /// The address that the socket is bound to, or was accepted on.
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

    /// The address that the socket is connected to.
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

/// The address of the given family. A context has fields for both families. The caller reads all of them, because the
/// compiler would turn reads in two branches into one read at a computed offset, which the verifier refuses.
#[inline(always)]
pub(crate) fn address(family: u32, v4_be: u32, v6: [u32; 4]) -> Address {
    if family == u32::from(AF_INET6) {
        Address(v6)
    } else {
        Address::from_v4_be(v4_be)
    }
}

/// A port, which contexts show in the low half of a word.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the upper half is always zero")]
pub(crate) const fn low_half(word: u32) -> u16 {
    word as u16
}
