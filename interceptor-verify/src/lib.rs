// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Does Interceptor do what Istio's iptables rules do, on this kernel and for this configuration? Two pods with the
//! same addresses are made, one with the rules and one enrolled; the same connections are made in both, and everything
//! that anyone can observe of them is compared.
//!
//! The command is `interceptor verify`. The differential test of this project is the same [`lab`]. Errors are values
//! here, and whatever happens, nothing is left behind: see [`Scratch`].

pub mod command;
pub mod flow;
mod interrupt;
pub mod istio;
pub mod lab;
mod lines;
pub mod messages;
pub mod probe;
pub mod retry;
pub mod scratch;
mod stack;

pub use interrupt::Interrupt;
pub use lines::{Lines, TimedOut};
pub use scratch::Scratch;
pub use stack::Stack;
