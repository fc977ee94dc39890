// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The address that an application passes to a system call, or that a system call is about to return.

use core::marker::PhantomData;

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_setsockopt, programs::SockAddrContext};
use interceptor_policy::Address;

use crate::{
    ctx::{field, pointer_field, set_field},
    family::Family,
    socket::{Socket, low_half},
};

const SOL_SOCKET: i32 = 1;
const SO_BINDTODEVICE: i32 = 25;

/// The address in a `struct bpf_sock_addr`: what the application passed to `connect()`, or what a name call is about to
/// return.
pub(crate) struct UserAddress<'a, F> {
    ctx: &'a SockAddrContext,
    _family: PhantomData<F>,
}

impl<'a, F: Family> UserAddress<'a, F> {
    #[inline(always)]
    pub(crate) const fn of(ctx: &'a SockAddrContext) -> Self {
        Self { ctx, _family: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn socket(&self) -> Option<Socket> {
        Socket::new(pointer_field!(self.ctx.sock_addr, __bindgen_anon_1))
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
        set_field!(self.ctx.sock_addr, user_port = u32::from(port.to_be()));
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
