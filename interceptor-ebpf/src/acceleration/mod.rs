// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Acceleration: the data of a connection whose two ends are on this node goes from socket to socket. The rules are in
//! [`interceptor_policy::acceleration`].
//!
//! Loaded with the first pod that asks for it, attached where it is asked for. A socket in [`crate::maps::ACCELERATED`]
//! has an [`SocketState`] in its storage from before it was put there; the kernel takes it out when it is closed, and
//! nothing else ever does.
//!
//! [`SocketState`]: interceptor_policy::acceleration::SocketState

pub(crate) mod established;
pub(crate) mod message;
mod peer;
mod tcp;
pub(crate) mod ulp;
pub(crate) mod urgent;
