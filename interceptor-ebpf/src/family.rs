// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two address families: which fields of `struct bpf_sock_addr` the programs of a family may use. The verifier
//! refuses the fields of the other family.

use aya_ebpf::{bindings::bpf_sock_addr, helpers::generated::bpf_bind};
use interceptor_policy::Address;

use crate::ctx::{SockaddrIn, SockaddrIn6, field, set_field};

/// The programs of `AF_INET` sockets.
pub(crate) struct V4;
/// The programs of `AF_INET6` sockets.
pub(crate) struct V6;

/// How the programs of a family read, write and bind the address.
pub(crate) trait Family {
    fn read(sock_addr: *mut bpf_sock_addr) -> Address;
    fn write(sock_addr: *mut bpf_sock_addr, address: Address);
    fn read_message_source(sock_addr: *mut bpf_sock_addr) -> Address;
    fn write_message_source(sock_addr: *mut bpf_sock_addr, address: Address);
    fn bind(sock_addr: *mut bpf_sock_addr, address: Address) -> bool;
    /// The local address of a socket that is not bound.
    const UNBOUND: Address;
}

impl Family for V4 {
    #[inline(always)]
    fn read(sock_addr: *mut bpf_sock_addr) -> Address {
        Address::from_v4_be(field!(sock_addr, user_ip4))
    }

    #[inline(always)]
    fn write(sock_addr: *mut bpf_sock_addr, address: Address) {
        set_field!(sock_addr, user_ip4 = address.v4_be());
    }

    #[inline(always)]
    fn read_message_source(sock_addr: *mut bpf_sock_addr) -> Address {
        Address::from_v4_be(field!(sock_addr, msg_src_ip4))
    }

    #[inline(always)]
    fn write_message_source(sock_addr: *mut bpf_sock_addr, address: Address) {
        set_field!(sock_addr, msg_src_ip4 = address.v4_be());
    }

    #[inline(always)]
    fn bind(sock_addr: *mut bpf_sock_addr, address: Address) -> bool {
        bind_to(sock_addr, SockaddrIn::new(address, 0))
    }

    const UNBOUND: Address = Address::UNSPECIFIED_V4;
}

impl Family for V6 {
    #[inline(always)]
    fn read(sock_addr: *mut bpf_sock_addr) -> Address {
        Address([
            field!(sock_addr, user_ip6[0]),
            field!(sock_addr, user_ip6[1]),
            field!(sock_addr, user_ip6[2]),
            field!(sock_addr, user_ip6[3]),
        ])
    }

    #[inline(always)]
    fn write(sock_addr: *mut bpf_sock_addr, address: Address) {
        let [a, b, c, d] = address.0;
        set_field!(sock_addr, user_ip6[0] = a);
        set_field!(sock_addr, user_ip6[1] = b);
        set_field!(sock_addr, user_ip6[2] = c);
        set_field!(sock_addr, user_ip6[3] = d);
    }

    #[inline(always)]
    fn read_message_source(sock_addr: *mut bpf_sock_addr) -> Address {
        Address([
            field!(sock_addr, msg_src_ip6[0]),
            field!(sock_addr, msg_src_ip6[1]),
            field!(sock_addr, msg_src_ip6[2]),
            field!(sock_addr, msg_src_ip6[3]),
        ])
    }

    #[inline(always)]
    fn write_message_source(sock_addr: *mut bpf_sock_addr, address: Address) {
        let [a, b, c, d] = address.0;
        set_field!(sock_addr, msg_src_ip6[0] = a);
        set_field!(sock_addr, msg_src_ip6[1] = b);
        set_field!(sock_addr, msg_src_ip6[2] = c);
        set_field!(sock_addr, msg_src_ip6[3] = d);
    }

    #[inline(always)]
    fn bind(sock_addr: *mut bpf_sock_addr, address: Address) -> bool {
        bind_to(sock_addr, SockaddrIn6::new(address, 0))
    }

    const UNBOUND: Address = Address([0; 4]);
}

#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "socket addresses are a few bytes long"
)]
fn bind_to<T>(sock_addr: *mut bpf_sock_addr, mut to: T) -> bool {
    // SAFETY: `to` is a socket address of the program's family, and its length is passed with it.
    unsafe { bpf_bind(sock_addr, (&raw mut to).cast(), size_of::<T>() as i32) == 0 }
}
