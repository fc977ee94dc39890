// SPDX-License-Identifier: Apache-2.0 OR MIT
//! For tests: the next version of the ABI, in which the fields of a policy have other places, those of slots too, and a
//! pod has a counter more.

use interceptor_policy::{ABI_VERSION, FormerSlotValue, Policy, Slot, maps};

use crate::kernel::node::other_version::{ChangedMap, ChangedTables, OtherVersion};

/// The version that everybody else has.
pub(crate) const FORMER: OtherVersion = OtherVersion {
    number: ABI_VERSION - 1,
    changed: &[
        ChangedMap { name: maps::PODS, from_other: moved_to_front, to_other: moved_to_end },
        ChangedMap { name: maps::COUNTERS, from_other: more_counters, to_other: fewer_counters },
    ],
    tables: Some(ChangedTables {
        other_first: 0,
        other_value_size: size_of::<FormerSlotValue>(),
        read_as: maps::FORMER_SLOTS,
        from_other: longer,
        to_other: shorter,
    }),
};

const _: () = assert!(Slot::FIRST != 0, "the versions give out different cells");

/// The fields that come first in this version, and last in the former one.
const MOVED: usize = size_of::<[u32; 2]>();
const COUNTER: usize = size_of::<u64>();
/// By which a value in a table of slots is longer, at its front.
const MORE: usize = size_of::<u64>();

fn longer(former: &[u8]) -> Vec<u8> {
    [&[0; MORE], former].concat()
}

fn shorter(value: &[u8]) -> Vec<u8> {
    value[MORE..].to_vec()
}

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
