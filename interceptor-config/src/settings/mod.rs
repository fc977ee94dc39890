// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be set, by which names, and with which default: one table, from which flags, help texts, messages and
//! defaults come. It never says what a value means.

#[cfg(feature = "clap")]
pub mod arguments;
mod flags;
mod row;
mod table;

pub use flags::Flags;
pub(crate) use row::{Annotation, Form};
pub use row::{Heading, Value};
pub use table::Setting;
