// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How often a test does what it repeats.

use std::env;

/// `usual`, where the environment `variable` does not say otherwise. Panics at less than `least`, with which the test
/// would show nothing.
pub fn scale(variable: &str, usual: u32, least: u32) -> u32 {
    let text = env::var(variable).unwrap_or_else(|_| usual.to_string());
    let count = text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}"));
    assert!(count >= least, "{variable}={text} would show nothing");
    count
}
