// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ranges of numbers, and the prefixes that make them up: a longest-prefix trie knows no ranges. How a range is
//! written, others read.

use std::fmt;

use serde::{Serialize, Serializer};

/// Ports or IDs from `first` to `last`, both included; one number if they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberRange {
    pub first: u32,
    /// Never below `first`.
    pub last: u32,
}

impl NumberRange {
    /// A range of one.
    pub const fn one(number: u32) -> Self {
        Self { first: number, last: number }
    }

    /// The fewest aligned blocks, each as large as a power of two, that make up exactly this range. There are at most
    /// 62. A block is given by its first number, and by how many leading bits its numbers share.
    pub(crate) fn prefixes(self) -> impl Iterator<Item = (u32, u32)> {
        let mut next = Some(self.first);
        std::iter::from_fn(move || {
            let first = next?;
            let aligned = if first == 0 { u32::BITS } else { first.trailing_zeros() };
            // One less than the count of the numbers that are left, because 2^32 does not fit.
            let left = self.last - first;
            let fitting = left.checked_add(1).map_or(u32::BITS, u32::ilog2);
            let free_bits = aligned.min(fitting);
            let block_last = first | u32::MAX.checked_shr(u32::BITS - free_bits).unwrap_or(0);
            next = if block_last == self.last { None } else { Some(block_last + 1) };
            Some((first, u32::BITS - free_bits))
        })
    }
}

impl fmt::Display for NumberRange {
    /// As iptables takes it, for ports and for IDs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last { first.fmt(f) } else { write!(f, "{first}:{last}") }
    }
}

impl Serialize for NumberRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// The bounds of a block.
    fn bounds((first, prefix_len): (u32, u32)) -> (u32, u32) {
        let host_bits = u32::MAX.checked_shr(prefix_len).unwrap_or(0);
        assert_eq!(first & host_bits, 0, "{first}/{prefix_len} is not aligned");
        (first, first | host_bits)
    }

    fn assert_covers_exactly(range: NumberRange) {
        let blocks: Vec<_> = range.prefixes().map(bounds).collect();
        assert!(blocks.len() <= 62, "{} blocks", blocks.len());
        assert_eq!(blocks.first().map(|block| block.0), Some(range.first));
        assert_eq!(blocks.last().map(|block| block.1), Some(range.last));
        assert!(blocks.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{blocks:?}");
    }

    #[rstest]
    #[case::one(NumberRange::one(80), 1)]
    #[case::everything(NumberRange { first: 0, last: u32::MAX }, 1)]
    #[case::everything_but_the_ends(NumberRange { first: 1, last: u32::MAX - 1 }, 62)]
    #[case::the_last(NumberRange::one(u32::MAX), 1)]
    #[case::all_ports(NumberRange { first: 0, last: 65_535 }, 1)]
    #[case::some_ids(NumberRange { first: 1000, last: 2000 }, 8)]
    fn boundaries(#[case] range: NumberRange, #[case] blocks: usize) {
        assert_covers_exactly(range);
        assert_eq!(range.prefixes().count(), blocks);
    }

    proptest! {
        #[test]
        fn the_blocks_hold_exactly_the_range(a: u32, b: u32) {
            assert_covers_exactly(NumberRange { first: a.min(b), last: a.max(b) });
        }
    }
}
