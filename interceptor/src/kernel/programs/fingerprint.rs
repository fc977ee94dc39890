// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hashes that tell two policies, or two builds of the programs, apart. They are not meant to resist anybody.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use interceptor_config::{AddressPrefix, CompiledPolicy, NumberPrefix, SourcePrefix};
use zerocopy::IntoBytes as _;

/// Tells policies apart.
pub(crate) fn fingerprint(policy: &CompiledPolicy) -> u64 {
    let CompiledPolicy { policy, addresses, numbers, sources, primaries } = policy;
    let addresses: Vec<_> = addresses
        .iter()
        .map(|AddressPrefix { address, prefix_len, class }| (address.0, *prefix_len, class.bits()))
        .collect();
    let numbers: Vec<_> = numbers
        .iter()
        .map(|NumberPrefix { space, number, prefix_len, class }| (*space as u32, *number, *prefix_len, class.bits()))
        .collect();
    let sources: Vec<_> = sources
        .iter()
        .map(|SourcePrefix { address, prefix_len, source }| (address.0, *prefix_len, source.0))
        .collect();
    let primaries: Vec<_> = primaries.iter().map(|(secondary, primary)| (secondary.0, primary.0)).collect();
    fingerprint_of(&(policy.as_bytes(), addresses, numbers, sources, primaries))
}

/// A hash that is the same in every run of one build. Another build may use another; that only costs a switch to the
/// same policy.
pub(crate) fn fingerprint_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
