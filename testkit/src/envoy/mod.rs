// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Real Envoys, configured as Istio configures them, and two pods with one each.

mod admin;
mod binary;
pub mod config;
mod line;
mod mesh;
mod ports;
mod process;
mod tls;
mod versions;

pub use binary::Binary;
pub use line::{Line, without_port};
pub use mesh::{Case, Family, Mesh, Mode, Side, Variant};
pub use process::{Envoy, EnvoyFiles, Start};
