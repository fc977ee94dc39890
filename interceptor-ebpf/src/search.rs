// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A search through numbered candidates, as a loop that the verifier checks once. It reads and writes no map itself.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;

/// What a search looks for.
pub(crate) trait Search {
    /// Whether the search ends with the candidate of this number. It may take the candidate in the same step.
    fn accepts(&self, candidate: u32) -> bool;
}

/// The number of the first of `count` candidates that the search accepts.
///
/// With `bpf_loop` (Linux 5.17) the verifier checks the body once. It would walk a loop of our own from beginning to
/// end for every path that leads to the loop: Linux 6.1 gives up on that, and later versions take much longer.
#[inline(always)]
pub(crate) fn find_first<S: Search>(count: u32, search: S) -> Option<u32> {
    find_first_with(count, search).0
}

/// The same, for a search that remembers something from candidate to candidate, and returns with what it remembers.
#[inline(always)]
pub(crate) fn find_first_with<S: Search>(count: u32, search: S) -> (Option<u32>, S) {
    let mut state = State { search, found: count };
    let visit: unsafe extern "C" fn(u32, *mut State<S>) -> i64 = visit;
    // SAFETY: the callback takes and returns what the helper asks for, and the state outlives the call.
    unsafe { bpf_loop(count, visit as *mut c_void, (&raw mut state).cast(), 0) };
    let found = if state.found < count { Some(state.found) } else { None };
    (found, state.search)
}

struct State<S> {
    search: S,
    /// `count` while nothing is found.
    found: u32,
}

unsafe extern "C" fn visit<S: Search>(candidate: u32, state: *mut State<S>) -> i64 {
    const CONTINUE: i64 = 0;
    const STOP: i64 = 1;
    // SAFETY: `find_first` passes its own state, and does not touch it during the call.
    let state = unsafe { &mut *state };
    if !state.search.accepts(candidate) {
        return CONTINUE;
    }
    state.found = candidate;
    STOP
}
