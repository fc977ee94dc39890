// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A search that the verifier checks once.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;

/// Something to look for in numbered places.
pub(crate) trait Search {
    /// Whether this is the place.
    fn accepts(&self, place: u32) -> bool;
}

/// The first of `places` places that ends the search.
///
/// With `bpf_loop` (Linux 5.17) what is done in a place is verified once. The verifier would walk a loop of our own
/// from beginning to end for each way that leads to it: Linux 6.1 gives up on that, and later versions take much
/// longer.
#[inline(always)]
pub(crate) fn find_first<S: Search>(places: u32, search: S) -> Option<u32> {
    let mut state = State { search, found: places };
    let visit: unsafe extern "C" fn(u32, *mut State<S>) -> i64 = visit;
    // SAFETY: the callback takes and returns what the helper asks for, and the state outlives the call.
    unsafe { bpf_loop(places, visit as *mut c_void, (&raw mut state).cast(), 0) };
    if state.found < places { Some(state.found) } else { None }
}

struct State<S> {
    search: S,
    found: u32,
}

unsafe extern "C" fn visit<S: Search>(place: u32, state: *mut State<S>) -> i64 {
    const GO_ON: i64 = 0;
    const STOP: i64 = 1;
    // SAFETY: `first` passes its own state, and does not touch it meanwhile.
    let state = unsafe { &mut *state };
    if !state.search.accepts(place) {
        return GO_ON;
    }
    state.found = place;
    STOP
}
