// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Acceleration: which connections are accelerated, and when a direction falls back to TCP. The data of an accelerated
//! connection, whose two ends are on this node, is moved from socket to socket. Nothing here moves it.
//!
//! Each direction picks its path (direct or TCP) when it sends its first message. After that it may fall back from
//! direct to TCP, once. It never goes from TCP to direct.
//!
//! That keeps the bytes in order: a reader reads what is in its socket's queue before what arrives by TCP. Switching to
//! direct is unsafe even after the reader has drained TCP: a reader blocked in `MSG_WAITALL` never checks the socket
//! map's queue.

mod admission;
mod credit;
mod flow_key;
mod handshake;
mod memory;
mod peer;
mod state;

pub use admission::{Candidate, admit, decide_direction};
pub use credit::{MAX_BUDGET, MIN_BUDGET};
pub use flow_key::FlowKey;
pub use handshake::{Handshake, SeqNumbers};
pub use memory::Memory;
pub use peer::{Peer, PeerLocation};
pub use state::{Path, SocketState};
