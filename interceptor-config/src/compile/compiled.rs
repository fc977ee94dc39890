// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The compiled policy: what stands in the kernel's maps for one pod, as plain data. Nothing here reads or writes a
//! map.

use std::net::IpAddr;

use interceptor_policy::{Address, AddressClass, NumberClass, NumberSpace, Policy, Tables};

use super::prefixes::Prefix;

/// A pod's complete policy. The longest matching prefix says all: no shorter prefix adds to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompiledPolicy {
    /// Its generation is 0 until it is written to the kernel.
    pub policy: Policy,
    /// What the lists say of addresses.
    pub addresses: Vec<AddressPrefix>,
    /// What the lists say of ports, users and groups.
    pub numbers: Vec<NumberPrefix>,
    /// The source of connections by destination, if it is not always the pod's. The longest match says it.
    pub sources: Vec<SourcePrefix>,
    /// Each secondary address, with the first address of the same family on its interface: the address to which
    /// REDIRECT would have sent inbound connections.
    pub primaries: Vec<(Address, Address)>,
}

/// An address range and what is said of it. Each family is a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPrefix {
    /// The bits behind the prefix are zero.
    pub address: Address,
    /// 0 to 128. For IPv4 it counts in the mapped form, so it is 96 more than usual.
    pub prefix_len: u32,
    pub class: AddressClass,
}

/// A range of destinations, and the source of connections to it. Each family is a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePrefix {
    /// The bits behind the prefix are zero.
    pub address: Address,
    /// 0 to 128. For IPv4 it counts in the mapped form, so it is 96 more than usual.
    pub prefix_len: u32,
    pub source: Address,
}

/// A block of numbers and what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberPrefix {
    pub space: NumberSpace,
    /// The bits behind the prefix are zero.
    pub number: u32,
    /// 0 to 32.
    pub prefix_len: u32,
    pub class: NumberClass,
}

impl Tables for CompiledPolicy {
    fn address(&self, address: Address) -> AddressClass {
        let bits = address_bits(address);
        let of_family = self.addresses.iter().filter(|entry| entry.address.is_v4() == address.is_v4());
        let matching =
            of_family.filter(|entry| Prefix::new(address_bits(entry.address), entry.prefix_len, ()).holds(bits));
        matching
            .max_by_key(|entry| entry.prefix_len)
            .map_or_else(AddressClass::default, |entry| entry.class)
    }

    fn number(&self, space: NumberSpace, number: u32) -> NumberClass {
        let bits = number_bits(number);
        let matching = self.numbers.iter().filter(|entry| {
            entry.space == space && Prefix::new(number_bits(entry.number), entry.prefix_len, ()).holds(bits)
        });
        matching
            .max_by_key(|entry| entry.prefix_len)
            .map_or_else(NumberClass::default, |entry| entry.class)
    }
}

impl From<Prefix<AddressClass>> for AddressPrefix {
    fn from(Prefix { bits, len, class }: Prefix<AddressClass>) -> Self {
        Self { address: Address::from(IpAddr::V6(bits.into())), prefix_len: len, class }
    }
}

impl NumberPrefix {
    pub(super) fn new(space: NumberSpace, Prefix { bits, len, class }: Prefix<NumberClass>) -> Self {
        Self { space, number: (bits >> (u128::BITS - u32::BITS)) as u32, prefix_len: len, class }
    }
}

/// The address as a number.
pub(super) fn address_bits(address: Address) -> u128 {
    address
        .0
        .iter()
        .fold(0, |bits, word| (bits << u32::BITS) | u128::from(u32::from_be(*word)))
}

/// How many bits of the mapped form stand before those of the address.
pub(super) const fn bits_before(address: IpAddr) -> u32 {
    if address.is_ipv4() { 96 } else { 0 }
}

/// The number, moved to where prefixes begin.
pub(super) fn number_bits(number: u32) -> u128 {
    u128::from(number) << (u128::BITS - u32::BITS)
}
