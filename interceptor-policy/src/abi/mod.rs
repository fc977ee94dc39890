// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flat types that cross the kernel boundary: keys and values of maps. They have no padding, no `bool` and no enum
//! with data: `zerocopy` refuses to compile those. They hold no rule.

mod bits;
mod class;
mod counters;
mod enrollment;
#[cfg(feature = "other-abi")]
mod former;
mod keys;
mod listeners;
mod lookup;
mod policy;
mod slots;
mod trace;
mod version;

pub use class::{AddressClass, NumberClass};
pub use counters::Counters;
pub use enrollment::{Enrollment, MAX_PODS, NodeState};
#[cfg(feature = "other-abi")]
pub use former::{FormerCell, FormerSlotValue};
pub use keys::{AddressKey, NumberKey, NumberSpace};
pub use listeners::{
    LISTENERS_PER_KIND, LISTENERS_PER_POD, ListenerFamily, ListenerKey, ListenerScope, MAX_LISTENERS, ProxyListener,
};
pub use lookup::Caller;
pub use policy::{Policy, PolicyFlags};
pub use slots::{AskedServer, Cell, CellClaim, Destination, FreeCells, SlotKey, SlotValue, Use};
pub use trace::{Direction, LostEvents, MAX_TRACES, TraceEvent, TracePlace, Traces};
pub use version::ABI_VERSION;
