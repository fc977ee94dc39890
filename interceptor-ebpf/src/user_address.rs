// SPDX-License-Identifier: Apache-2.0 OR MIT
use core::marker::PhantomData;

use aya_ebpf::{
    EbpfContext as _,
    bindings::bpf_sock_addr,
    helpers::generated::{bpf_bind, bpf_setsockopt},
    programs::SockAddrContext,
};
use interceptor_policy::Address;

use crate::socket::{Socket, low_half};

/// The address in a `struct bpf_sock_addr`: what the application passed to `connect()`, or what a name call is about to
/// return.
pub(crate) struct UserAddress<'a, F> {
    ctx: &'a SockAddrContext,
    _family: PhantomData<F>,
}

/// The programs of `AF_INET` sockets.
pub(crate) struct V4;
/// The programs of `AF_INET6` sockets.
pub(crate) struct V6;

/// How a family's programs reach the address; the verifier lets each see its own fields only.
pub(crate) trait Family {
    fn read(sock_addr: *mut bpf_sock_addr) -> Address;
    fn write(sock_addr: *mut bpf_sock_addr, address: Address);
    fn write_message_source(sock_addr: *mut bpf_sock_addr, address: Address);
    fn bind(sock_addr: *mut bpf_sock_addr, address: Address) -> bool;
    /// What a socket of the family is bound to before anybody bound it.
    const UNBOUND: Address;
}

/// `struct sockaddr_in`, all in network byte order but the family.
#[repr(C)]
struct SockaddrIn {
    family: u16,
    port: u16,
    address: u32,
    zero: [u32; 2],
}

/// `struct sockaddr_in6`.
#[repr(C)]
struct SockaddrIn6 {
    family: u16,
    port: u16,
    flow_info: u32,
    address: [u32; 4],
    scope_id: u32,
}

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const SOL_SOCKET: i32 = 1;
const SO_BINDTODEVICE: i32 = 25;

#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "socket addresses are a few bytes long"
)]
fn bpf_bind_to<T>(sock_addr: *mut bpf_sock_addr, mut to: T) -> bool {
    // SAFETY: `to` is a socket address of the family that the program is for, and the length is its own.
    unsafe { bpf_bind(sock_addr, (&raw mut to).cast(), size_of::<T>() as i32) == 0 }
}

macro_rules! field {
    ($sock_addr:expr, $($field:tt)+) => {
        // SAFETY: the context is valid while the program runs, and the verifier checks offset and size.
        unsafe { core::ptr::read_volatile(&raw const (*$sock_addr).$($field)+) }
    };
}

macro_rules! set_field {
    ($value:expr => $sock_addr:expr, $($field:tt)+) => {
        // SAFETY: as above, and the verifier checks that the field may be written.
        unsafe { core::ptr::write_volatile(&raw mut (*$sock_addr).$($field)+, $value) }
    };
}

impl Family for V4 {
    #[inline(always)]
    fn read(sock_addr: *mut bpf_sock_addr) -> Address {
        Address::from_v4_be(field!(sock_addr, user_ip4))
    }

    #[inline(always)]
    fn write(sock_addr: *mut bpf_sock_addr, address: Address) {
        set_field!(address.v4_be() => sock_addr, user_ip4);
    }

    #[inline(always)]
    fn write_message_source(sock_addr: *mut bpf_sock_addr, address: Address) {
        set_field!(address.v4_be() => sock_addr, msg_src_ip4);
    }

    #[inline(always)]
    fn bind(sock_addr: *mut bpf_sock_addr, address: Address) -> bool {
        bpf_bind_to(
            sock_addr,
            SockaddrIn { family: AF_INET, port: 0, address: address.v4_be(), zero: [0; 2] },
        )
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
        set_field!(a => sock_addr, user_ip6[0]);
        set_field!(b => sock_addr, user_ip6[1]);
        set_field!(c => sock_addr, user_ip6[2]);
        set_field!(d => sock_addr, user_ip6[3]);
    }

    #[inline(always)]
    fn write_message_source(sock_addr: *mut bpf_sock_addr, address: Address) {
        let [a, b, c, d] = address.0;
        set_field!(a => sock_addr, msg_src_ip6[0]);
        set_field!(b => sock_addr, msg_src_ip6[1]);
        set_field!(c => sock_addr, msg_src_ip6[2]);
        set_field!(d => sock_addr, msg_src_ip6[3]);
    }

    #[inline(always)]
    fn bind(sock_addr: *mut bpf_sock_addr, address: Address) -> bool {
        bpf_bind_to(
            sock_addr,
            SockaddrIn6 { family: AF_INET6, port: 0, flow_info: 0, address: address.0, scope_id: 0 },
        )
    }

    const UNBOUND: Address = Address([0; 4]);
}

impl<'a, F: Family> UserAddress<'a, F> {
    #[inline(always)]
    pub(crate) const fn of(ctx: &'a SockAddrContext) -> Self {
        Self { ctx, _family: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn socket(&self) -> Option<Socket> {
        // SAFETY: the context is valid while the program runs.
        let sk = unsafe { &raw const (*self.ctx.sock_addr).__bindgen_anon_1 }.cast();
        // SAFETY: the union holds a pointer to the socket.
        Socket::new(unsafe { core::ptr::read_volatile(sk) })
    }

    #[inline(always)]
    pub(crate) fn protocol(&self) -> u32 {
        field!(self.ctx.sock_addr, protocol)
    }

    #[inline(always)]
    pub(crate) fn address(&self) -> Address {
        F::read(self.ctx.sock_addr)
    }

    #[inline(always)]
    pub(crate) fn set_address(&self, address: Address) {
        F::write(self.ctx.sock_addr, address);
    }

    /// Host byte order.
    #[inline(always)]
    pub(crate) fn port(&self) -> u16 {
        u16::from_be(low_half(field!(self.ctx.sock_addr, user_port)))
    }

    /// Host byte order.
    #[inline(always)]
    pub(crate) fn set_port(&self, port: u16) {
        set_field!(u32::from(port.to_be()) => self.ctx.sock_addr, user_port);
    }

    /// Gives the message that is sent a source address.
    #[inline(always)]
    pub(crate) fn set_message_source(&self, address: Address) {
        F::write_message_source(self.ctx.sock_addr, address);
    }

    /// Binds the socket to `address` and leaves the port to `connect()`, so that a port only has to be unique per
    /// destination. False when the socket has a port already, or the address is not the pod's (any more).
    #[inline(always)]
    pub(crate) fn bind(&self, address: Address) -> bool {
        F::bind(self.ctx.sock_addr, address)
    }

    /// `SO_BINDTODEVICE`; false when that fails.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the name has three bytes"
    )]
    pub(crate) fn bind_to_loopback_device(&self) -> bool {
        let mut name = *b"lo\0";
        // SAFETY: the helper reads as many bytes as it is told from `name`.
        unsafe {
            bpf_setsockopt(
                self.as_ptr(),
                SOL_SOCKET,
                SO_BINDTODEVICE,
                name.as_mut_ptr().cast(),
                name.len() as i32,
            ) == 0
        }
    }

    /// Takes a [`Self::bind`] back. False when the socket has a port, as it has while it is connected.
    #[inline(always)]
    pub(crate) fn unbind(&self) -> bool {
        F::bind(self.ctx.sock_addr, F::UNBOUND)
    }

    /// For helpers.
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut core::ffi::c_void {
        self.ctx.as_ptr()
    }
}
