// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which connection goes to the sidecar, and why.
//!
//! [`decide`] is the only place that knows the order of Istio's rules. The kernel programs, `interceptor explain`, the
//! property tests and the differential test all call it. They differ only in where their [`Tables`] come from.
//!
//! The crate uses neither eBPF nor the standard library, allocates nothing, and has no `unsafe`.
#![no_std]
#![forbid(unsafe_code)]

mod abi;
pub mod acceleration;
mod action;
mod address;
mod decide;
mod flow;
mod guard;
pub mod maps;
#[cfg(feature = "mutants")]
pub mod mutants;
mod owner;
mod reason;
mod slot;
mod tables;
mod verdict;

pub use abi::{
    ABI_VERSION, AddressClass, AddressKey, AskedServer, Caller, Cell, CellClaim, Counters, Destination, Direction,
    Enrollment, FreeCells, LISTENERS_PER_KIND, LISTENERS_PER_POD, ListenerFamily, ListenerKey, ListenerScope,
    LostEvents, MAX_LISTENERS, MAX_PODS, MAX_TRACES, NodeState, NumberClass, NumberKey, NumberSpace, Policy,
    PolicyFlags, ProxyListener, SlotKey, SlotValue, TraceEvent, TracePlace, Traces, Use,
};
#[cfg(feature = "other-abi")]
pub use abi::{FormerCell, FormerSlotValue};
pub use action::{Action, ConnectError};
pub use address::Address;
pub use decide::DNS_SERVICE_PORT;
#[cfg(not(feature = "mutants"))]
pub use decide::decide;
pub use flow::{Flow, Inbound, LOOPBACK_INTERFACE, Outbound, Protocol};
pub use guard::{Leaving, Sender};
#[cfg(feature = "mutants")]
pub use mutants::decide;
pub use owner::Owner;
pub use reason::{Decision, Reason, ReasonKind};
pub use slot::{Slot, SlotAddress, nth_cell};
pub use tables::Tables;
pub use verdict::Verdict;
