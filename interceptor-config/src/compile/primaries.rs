// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The primary address behind each secondary address of an interface: REDIRECT sends inbound connections to it. It is
//! not a source of anything: sources come from routes.

use interceptor_policy::Address;

use crate::pod::InterfaceFacts;

/// Pairs of a secondary address and its primary. Loopback interfaces have none, because no connection from the
/// outside arrives on them.
pub(super) fn primaries(interface: &InterfaceFacts) -> Vec<(Address, Address)> {
    let of_family = |is_v4| {
        interface
            .addresses
            .iter()
            .map(|address| Address::from(*address))
            .filter(move |address| address.is_v4() == is_v4)
    };
    let pairs = |is_v4| {
        let primary = of_family(is_v4).next().filter(|primary| !primary.is_loopback());
        primary
            .into_iter()
            .flat_map(move |primary| of_family(is_v4).skip(1).map(move |secondary| (secondary, primary)))
    };
    pairs(true).chain(pairs(false)).collect()
}
