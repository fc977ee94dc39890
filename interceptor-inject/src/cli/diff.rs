// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What changes in a file, as a unified diff, which `patch` applies.

use similar::TextDiff;

/// Empty if nothing changes.
pub(super) fn unified(name: &str, old: &str, new: &str) -> String {
    // A line break in a name would look like a line of the diff.
    let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    TextDiff::from_lines(old, new).unified_diff().header(&name, &name).to_string()
}
