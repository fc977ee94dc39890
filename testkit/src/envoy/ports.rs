// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ports of the applications in the mesh. Everybody who names one takes it from here.

/// The applications speak HTTP here, of both versions.
pub(super) const HTTP: u16 = 8080;
/// Here the server's application speaks first.
pub(super) const TCP: u16 = 9000;
/// Here it speaks TLS.
pub(super) const TLS: u16 = 8443;
/// Here it speaks HTTP, and the mesh does not know.
pub(super) const UNDECLARED: u16 = 8081;
