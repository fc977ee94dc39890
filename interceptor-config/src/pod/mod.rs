// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What has to be known of a pod before its policy can be written. The caller finds it out; nothing here asks the
//! kernel.

mod facts;
mod id_maps;
mod routes;

pub use facts::{InterfaceFacts, PodFacts};
pub use id_maps::{IdMap, IdMaps};
pub(crate) use routes::is_many;
pub use routes::{NoRoute, RouteFacts, UNNAMED_RANGES, Way};
