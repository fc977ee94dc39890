// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The context of system calls that take or return an address. It knows no rule.

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

/// The address in a `struct bpf_sock_addr`: the address that the application has passed to a system call such as
/// `connect()`, or that a system call such as `getsockname()` is about to return.
pub(crate) struct UserAddress<'a, F> {
    ctx: &'a SockAddrContext,
    _family: PhantomData<F>,
}

impl<'a, F: Family> UserAddress<'a, F> {
    #[inline(always)]
    pub(crate) const fn of(ctx: &'a SockAddrContext) -> Self {
        Self { ctx, _family: PhantomData }
    }

    /// The socket of the system call. `None` never happens; the verifier needs the check.
    #[inline(always)]
    pub(crate) fn socket(&self) -> Option<Socket> {
        Socket::new(pointer_field!(self.ctx.sock_addr, __bindgen_anon_1))
    }

    /// `IPPROTO_…`.
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

    /// The source address of the message that is being sent: what the socket is bound to, or what the message names
    /// (`IP_PKTINFO`).
    #[inline(always)]
    pub(crate) fn message_source(&self) -> Address {
        F::read_message_source(self.ctx.sock_addr)
    }

    /// Sets the source address of the message that is being sent.
    #[inline(always)]
    pub(crate) fn set_message_source(&self, address: Address) {
        F::write_message_source(self.ctx.sock_addr, address);
    }

    /// Binds the socket to `address`. `connect()` chooses the port later, so a port only has to be unique per
    /// destination. False if the socket has a port already, or the pod does not have the address.
    #[inline(always)]
    pub(crate) fn bind(&self, address: Address) -> bool {
        F::bind(self.ctx.sock_addr, address)
    }

    /// Binds the socket to `lo` (`SO_BINDTODEVICE`). False if that fails.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the name has three bytes"
    )]
    pub(crate) fn bind_to_loopback_device(&self) -> bool {
        let mut name = *b"lo\0";
        // SAFETY: the helper reads the whole of `name`, and no more.
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

    /// Undoes [`Self::bind`]. False if the socket has a port, as every connected socket has.
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
