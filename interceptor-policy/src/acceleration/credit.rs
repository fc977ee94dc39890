// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How much a direction may send before its reader has read: credit, taken from a budget for each message.

use super::{memory::Memory, state::SocketState};
use crate::reason::Reason;

/// The smallest budget that can be configured. It holds a few messages.
pub const MIN_BUDGET: u32 = 128 * 1024;
/// The largest budget that can be configured.
pub const MAX_BUDGET: u32 = 1 << 30;

impl SocketState {
    /// Takes the credit for a message of `size` bytes, or says why the message must not take the direct path.
    ///
    /// `memory` is what TCP uses now, or `None` if that cannot be read. `waiting` reads how many bytes wait for the
    /// reader, or returns `None` if the peer is gone. It is only called when the known credit is too small.
    #[inline(always)]
    pub fn take_credit(
        &mut self,
        size: u32,
        memory: Option<Memory>,
        waiting: impl FnOnce() -> Option<u32>,
    ) -> Result<(), Reason> {
        if !memory.is_some_and(Memory::suffices) {
            return Err(Reason::AccelerationMemoryPressure);
        }
        if size > self.credit {
            self.credit = waiting().map_or(0, |waiting| self.budget.saturating_sub(waiting));
        }
        let fits = size <= self.credit;
        self.credit = self.credit.saturating_sub(size);
        if fits { Ok(()) } else { Err(Reason::AccelerationOverBudget) }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{
        acceleration::{flow_key::FlowKey, handshake::SeqNumbers},
        address::Address,
    };

    fn state(credit: u32) -> SocketState {
        let [local, remote] = [1, 2].map(|last| Address([0, 0, 0, last]));
        let key = FlowKey { netns_cookie: 7, local, remote, local_port: 40_000, remote_port: 80, padding: 0 };
        SocketState { credit, ..SocketState::new(key, 8, SeqNumbers::default(), MIN_BUDGET, 0) }
    }

    const ENOUGH: Option<Memory> = Some(Memory { taken: 0, low: 1 });
    const OVER_BUDGET: Result<(), Reason> = Err(Reason::AccelerationOverBudget);
    const MEMORY_PRESSURE: Result<(), Reason> = Err(Reason::AccelerationMemoryPressure);

    #[rstest]
    #[case::all_of_it(0, MIN_BUDGET, Ok(()))]
    #[case::one_byte_too_many(1, MIN_BUDGET, OVER_BUDGET)]
    #[case::more_than_the_budget_waits(u32::MAX, 1, OVER_BUDGET)]
    #[case::no_overflow(u32::MAX, u32::MAX, OVER_BUDGET)]
    fn what_waits_is_taken_off_the_budget(#[case] waiting: u32, #[case] size: u32, #[case] taken: Result<(), Reason>) {
        assert_eq!(state(0).take_credit(size, ENOUGH, || Some(waiting)), taken);
    }

    #[test]
    fn what_waits_is_read_only_when_the_known_credit_is_too_small() {
        let mut state = state(10);
        assert_eq!(state.take_credit(6, ENOUGH, || panic!("10 are left")), Ok(()));
        assert_eq!(state.take_credit(4, ENOUGH, || panic!("4 are left")), Ok(()));
        assert_eq!(
            (state.take_credit(6, ENOUGH, || Some(MIN_BUDGET - 10)), state.credit),
            (Ok(()), 4)
        );
        assert_eq!(
            state.take_credit(6, ENOUGH, || Some(MIN_BUDGET - 5)),
            OVER_BUDGET,
            "one too many, though 4 were left and 5 are"
        );
    }

    #[test]
    fn a_peer_that_is_gone_gives_no_credit() {
        assert_eq!(state(0).take_credit(1, ENOUGH, || None), OVER_BUDGET);
    }

    #[rstest]
    #[case::the_last_page_is_left(Some(Memory { taken: 99, low: 100 }), Ok(()))]
    #[case::no_page_is_left(Some(Memory { taken: 100, low: 100 }), MEMORY_PRESSURE)]
    #[case::far_above_the_limit(Some(Memory { taken: i64::MAX, low: 100 }), MEMORY_PRESSURE)]
    #[case::the_count_is_negative_for_a_while(Some(Memory { taken: -1, low: 1 }), Ok(()))]
    #[case::tcp_is_allowed_none(Some(Memory { taken: 0, low: 0 }), MEMORY_PRESSURE)]
    #[case::tcp_is_allowed_none_and_the_count_is_negative(Some(Memory { taken: -1, low: 0 }), MEMORY_PRESSURE)]
    #[case::it_cannot_be_read(None, MEMORY_PRESSURE)]
    fn memory_is_checked_for_every_message(#[case] memory: Option<Memory>, #[case] taken: Result<(), Reason>) {
        assert_eq!(state(0).take_credit(10, memory, || Some(0)), taken);
        assert_eq!(state(10).take_credit(10, memory, || panic!("10 are left")), taken);
    }

    /// However a writer and a reader take turns, no more than the budget ever waits.
    #[test]
    fn never_more_than_the_budget_waits() {
        let (mut state, mut waiting) = (state(0), 0);
        for turn in 0..10_000_u32 {
            let size = turn.wrapping_mul(0x9e37_79b1) % 5_000;
            if state.take_credit(size, ENOUGH, || Some(waiting)).is_ok() {
                waiting += size;
            }
            assert!(waiting <= MIN_BUDGET && state.credit <= MIN_BUDGET - waiting);
            waiting -= waiting.min(turn.wrapping_mul(0x85eb_ca6b) % 4_900);
        }
    }
}
