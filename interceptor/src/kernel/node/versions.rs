// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The versions of the ABI whose pods this build can take over, and give back. A version that is not listed keeps its
//! pods.

use crate::kernel::node::other_version::OtherVersion;

/// Whoever raises the number of this version adds a row here, if pods of the version before can be taken over.
#[cfg(not(feature = "other-abi"))]
pub(crate) const KNOWN: &[OtherVersion] = &[];

#[cfg(feature = "other-abi")]
pub(crate) const KNOWN: &[OtherVersion] = &[super::other_abi::FORMER];

/// What this build knows of another version.
pub(crate) fn known(number: u32) -> Option<&'static OtherVersion> {
    KNOWN.iter().find(|version| version.number == number)
}
