// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the text of a setting comes from, and which source wins. What a text means, others read.

mod reader;

pub(crate) use reader::Reader;
pub use reader::{Environment, Sources};
