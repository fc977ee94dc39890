// SPDX-License-Identifier: Apache-2.0 OR MIT
//! For tests: the next version of the ABI, in which the fields of a policy have other places, and a pod has a counter
//! more.

use interceptor_policy::{ABI_VERSION, Policy, maps};

use crate::kernel::node::other_version::{ChangedMap, OtherVersion};

/// The version that everybody else has.
pub(crate) const FORMER: OtherVersion = OtherVersion {
    number: ABI_VERSION - 1,
    changed: &[
        ChangedMap { name: maps::PODS, from_other: moved_to_front, to_other: moved_to_end },
        ChangedMap { name: maps::COUNTERS, from_other: more_counters, to_other: fewer_counters },
    ],
};

/// The fields that come first in this version, and last in the former one.
const MOVED: usize = size_of::<[u32; 2]>();
const COUNTER: usize = size_of::<u64>();

fn moved_to_front(former: &[u8]) -> Vec<u8> {
    let (policy, rest) = former.split_at(size_of::<Policy>());
    let (others, moved) = policy.split_at(policy.len() - MOVED);
    [moved, others, rest].concat()
}

fn moved_to_end(value: &[u8]) -> Vec<u8> {
    let (policy, rest) = value.split_at(size_of::<Policy>());
    let (moved, others) = policy.split_at(MOVED);
    [others, moved, rest].concat()
}

fn more_counters(former: &[u8]) -> Vec<u8> {
    [former, &[0; COUNTER]].concat()
}

fn fewer_counters(value: &[u8]) -> Vec<u8> {
    value[..value.len() - COUNTER].to_vec()
}
