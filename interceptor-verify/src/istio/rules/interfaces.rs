// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules for interfaces that are left alone, which stand in two tables.

use crate::istio::config::Config;

/// The interfaces of `-c`, in either table.
pub(super) fn left_alone(config: &Config) -> impl Iterator<Item = String> {
    let both =
        |interface| [format!("-A PREROUTING -i {interface} -j RETURN"), format!("-A OUTPUT -o {interface} -j RETURN")];
    config.list('c').into_iter().flat_map(both)
}
