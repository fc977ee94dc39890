// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What settings hold, and how it is printed. Nothing here reads a text of Istio's, except for Go's basic values.

mod cidr;
pub(crate) mod go;
mod range;
mod selection;

pub use cidr::Cidr;
pub use range::NumberRange;
pub use selection::Selection;
pub(crate) use selection::{joined, serialize_joined};
