// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lets types of `interceptor-policy` stand in aya's maps.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A type of `interceptor-policy` as aya wants to see it in a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Raw<T>(pub(crate) T);

// SAFETY: `IntoBytes` rules out padding, `FromBytes` rules out invalid bit patterns, and `Raw` adds neither.
unsafe impl<T: IntoBytes + FromBytes + Immutable + Copy + 'static> aya::Pod for Raw<T> {}
