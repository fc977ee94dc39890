// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The types of settings' values, and how they are printed. Apart from Go's booleans, durations and numbers, and
//! [`DataPath`], nothing here reads a text.

mod cidr;
mod data_path;
pub(crate) mod go;
mod range;
mod selection;

pub use cidr::Cidr;
pub use data_path::DataPath;
pub use range::NumberRange;
pub use selection::Selection;
pub(crate) use selection::{joined, serialize_joined};
