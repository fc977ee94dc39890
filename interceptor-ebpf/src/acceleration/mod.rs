// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Acceleration: moves the data of a connection whose two ends are on this node from socket to socket. The rules are in
//! [`interceptor_policy::acceleration`].
//!
//! The loader loads these programs with the first pod that asks for acceleration, and attaches them to such pods only.
//! Every socket in [`crate::maps::ACCELERATED`] got its [`SocketState`] before it was added to that map. The kernel
//! removes the socket when it is closed. Nobody else does, except before the socket connects again.
//!
//! [`SocketState`]: interceptor_policy::acceleration::SocketState

pub(crate) mod established;
pub(crate) mod message;
mod peer;
mod tcp;
pub(crate) mod ulp;
pub(crate) mod urgent;
