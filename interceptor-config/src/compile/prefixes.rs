// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes every prefix say all that is true of it. A longest-prefix trie returns only the most specific match, so each
//! prefix must repeat what the wider prefixes around it say. Nothing here knows what a prefix is of.

/// A prefix and what is said of everything in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix<C> {
    /// The leading `len` bits; the others are zero.
    pub(super) bits: u128,
    /// 0 to 128.
    pub(super) len: u32,
    pub(super) class: C,
}

impl<C> Prefix<C> {
    pub(super) const fn new(bits: u128, len: u32, class: C) -> Self {
        Self { bits: bits & mask(len), len, class }
    }

    /// The last value that it contains.
    pub(super) const fn last(&self) -> u128 {
        self.bits | !mask(self.len)
    }

    /// Whether `bits` begin with this prefix.
    pub(super) const fn holds(&self, bits: u128) -> bool {
        bits & mask(self.len) == self.bits
    }
}

/// Gives each prefix the union of its class and the classes of all prefixes that hold it. `union` gets the class of
/// the wider prefix second. Prefixes that say no more than the prefix around them are left out, and so are prefixes
/// with no prefix around them that say nothing. The result is sorted. The time is *O*(*n* log *n*).
pub(super) fn flatten<C: Copy + Default + PartialEq>(
    mut prefixes: Vec<Prefix<C>>,
    union: fn(C, C) -> C,
) -> Vec<Prefix<C>> {
    // A prefix directly precedes everything it holds.
    prefixes.sort_unstable_by_key(|prefix| (prefix.bits, prefix.len));
    let mut flat: Vec<Prefix<C>> = Vec::with_capacity(prefixes.len());
    // The indices of those prefixes in `flat` that hold the current prefix, the widest first.
    let mut enclosing: Vec<usize> = Vec::new();
    for prefix in prefixes {
        while enclosing.pop_if(|&mut index| !flat[index].holds(prefix.bits)).is_some() {}
        let class = enclosing
            .last()
            .map_or(prefix.class, |&index| union(prefix.class, flat[index].class));
        match enclosing.last().map(|&index| &mut flat[index]) {
            Some(same) if same.len == prefix.len => same.class = class,
            Some(around) if around.class == class => {}
            None if class == C::default() => {}
            _ => {
                enclosing.push(flat.len());
                flat.push(Prefix { class, ..prefix });
            }
        }
    }
    flat
}

const fn mask(len: u32) -> u128 {
    match u128::MAX.checked_shl(u128::BITS - len) {
        Some(mask) => mask,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn union(a: u8, b: u8) -> u8 {
        a | b
    }

    /// What a trie returns: the longest match only.
    fn longest_match(prefixes: &[Prefix<u8>], bits: u128) -> u8 {
        prefixes
            .iter()
            .filter(|prefix| prefix.holds(bits))
            .max_by_key(|prefix| prefix.len)
            .map_or(0, |prefix| prefix.class)
    }

    /// What is true: all matches.
    fn all_matches(prefixes: &[Prefix<u8>], bits: u128) -> u8 {
        prefixes
            .iter()
            .filter(|prefix| prefix.holds(bits))
            .fold(0, |class, prefix| class | prefix.class)
    }

    /// Prefixes from so small a space that they nest, meet and repeat. The space is in the top bits, in the bottom
    /// bits, or in all bits.
    fn any_prefix() -> impl Strategy<Value = Prefix<u8>> {
        let class = (0_u32..4).prop_map(|bit| 1_u8 << bit);
        let crowded_top = (0_u128..16, 0_u32..=4).prop_map(|(bits, len)| (bits << 124, len));
        let crowded_bottom = (0_u128..16, 124_u32..=128);
        (prop_oneof![crowded_top, crowded_bottom, (any::<u128>(), 0_u32..=128)], class)
            .prop_map(|((bits, len), class)| Prefix::new(bits, len, class))
    }

    proptest! {
        #[test]
        fn the_longest_match_says_all_that_is_true(
            prefixes in vec(any_prefix(), 0..40),
            probes in vec(any::<u128>(), 8),
        ) {
            let flat = flatten(prefixes.clone(), union);
            let edges = |prefix: &Prefix<u8>| [prefix.bits, prefix.last(), prefix.bits.wrapping_sub(1)];
            let edges = prefixes.iter().flat_map(edges);
            for bits in edges.chain(probes) {
                prop_assert_eq!(longest_match(&flat, bits), all_matches(&prefixes, bits), "{:x}", bits);
            }
        }

        #[test]
        fn no_prefix_comes_twice(prefixes in vec(any_prefix(), 0..40)) {
            let flat = flatten(prefixes, union);
            prop_assert!(flat.windows(2).all(|pair| (pair[0].bits, pair[0].len) < (pair[1].bits, pair[1].len)));
        }
    }

    #[test]
    fn a_prefix_that_adds_nothing_is_left_out() {
        let wide = Prefix::new(0x0a << 120, 8, 1);
        let inside = Prefix::new(0x0a01 << 112, 16, 1);
        assert_eq!(flatten(vec![inside, wide, wide], union), [wide]);
    }
}
