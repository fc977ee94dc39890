// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the text of a setting comes from, and which source wins. What a text means, others read.

mod annotations;
mod reader;

pub use annotations::Annotations;
pub(crate) use reader::Reader;
pub use reader::{Environment, Sources};
