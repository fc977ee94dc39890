// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What has to be known of a pod before its policy can be written. The caller finds it out; nothing here asks the
//! kernel.

mod facts;
mod id_maps;

pub use facts::{InterfaceFacts, PodFacts, RouteFacts};
pub use id_maps::{IdMap, IdMaps};
