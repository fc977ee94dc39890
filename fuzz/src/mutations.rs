// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Inputs that are nearly right: seeds with a few changes. The same seeds give the same inputs each time.

/// Values at which numbers go wrong.
const NUMBERS: [&[u8]; 6] = [&[0; 4], &[0xff; 4], &[0, 0, 0, 0x80], b"4294967295", b"-1", b"99999999999999999999"];

/// Endless.
pub(crate) struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutations<'a> {
    pub(crate) fn of(seeds: &'a [Vec<u8>]) -> Self {
        Self { seeds, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Less than `bound`, or 0. By a generator of Marsaglia's (xorshift).
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let bound = u64::try_from(bound.max(1)).expect("a length");
        usize::try_from(self.state % bound).expect("less than a length")
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let until = (at + self.below(16)).min(input.len());
        match self.below(5) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 => drop(input.drain(at..until)),
            2 => {
                let part = input[at..until].to_vec();
                let to = self.below(input.len() + 1);
                input.splice(to..to, part);
            }
            3 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                input.splice(at..until.min(at + number.len()), number.iter().copied());
            }
            _ => {
                let other = &self.seeds[self.below(self.seeds.len())];
                input.truncate(at);
                let from = self.below(other.len());
                input.extend_from_slice(&other[from..]);
            }
        }
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = self.seeds[self.below(self.seeds.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        Some(input)
    }
}
