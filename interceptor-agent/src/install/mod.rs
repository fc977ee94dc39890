// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Puts the CNI plugin on a node: the program into the directory of plugins, and an entry for it into the
//! [list of plugins](https://www.cni.dev/docs/spec/#section-1-network-configuration-format) that the container runtime
//! reads. Both directories belong to others. So every file is replaced as a whole or not at all, no link is followed,
//! and of a list nothing but the entry changes.
//!
//! ```text
//! files of the directory ──plan (pure)──▶ which file gets which text ──▶ temporary file, fsync, compare, rename
//! ```
//!
//! Nothing here waits, logs or counts. [`Keeper`] says when to look again, and [`Watch`] says when something changed.

mod binary;
mod conflicts;
mod directory;
mod entry;
mod error;
mod installation;
mod keeper;
mod network;
mod object;
mod plan;
mod processes;
mod watch;

#[cfg(test)]
mod tests;

pub use conflicts::Conflicts;
pub use entry::{Entry, PLUGIN};
pub use error::InstallError;
pub use installation::{Installation, Outcome, Standing};
pub use keeper::{Keeper, Step};
pub use plan::Layout;
pub use watch::{Change, Watch};
