// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys of the tries. A trie compares keys bit by bit from the front, so all their parts are in network byte order.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::address::Address;

/// Key of the address tries. The pod's generation stands before the address, so that one trie serves all pods. The
/// family does too, so that a short IPv6 prefix does not cover the IPv4-mapped addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct AddressKey {
    /// Twice the generation, plus one for IPv6.
    table_be: u32,
    pub address: Address,
}

impl AddressKey {
    /// Bits before the address in a trie key.
    pub const PREFIX_BITS: u32 = 32;
    /// Bits of the whole key.
    pub const BITS: u32 = Self::PREFIX_BITS + 128;

    #[inline(always)]
    pub const fn new(generation: u32, address: Address) -> Self {
        let family = if address.is_v4() { 0 } else { 1 };
        Self { table_be: (generation << 1 | family).to_be(), address }
    }

    /// The generation whose entry this is.
    pub const fn generation(&self) -> u32 {
        u32::from_be(self.table_be) >> 1
    }
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum NumberSpace {
    Port = 0,
    Uid = 1,
    Gid = 2,
    /// The index of a network interface.
    Interface = 3,
}

impl NumberSpace {
    const ALL: [Self; 4] = [Self::Port, Self::Uid, Self::Gid, Self::Interface];
}

/// Key of the trie of ports and ids.
#[expect(clippy::struct_field_names, reason = "the byte order is part of each name")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct NumberKey {
    generation_be: u32,
    space_be: u32,
    number_be: u32,
}

impl NumberKey {
    /// Bits before the number in a trie key.
    pub const PREFIX_BITS: u32 = 64;
    /// Bits of the whole key.
    pub const BITS: u32 = Self::PREFIX_BITS + 32;

    #[inline(always)]
    pub const fn new(generation: u32, space: NumberSpace, number: u32) -> Self {
        Self {
            generation_be: generation.to_be(),
            space_be: (space as u32).to_be(),
            number_be: number.to_be(),
        }
    }

    /// The generation whose entry this is.
    pub const fn generation(&self) -> u32 {
        u32::from_be(self.generation_be)
    }

    /// The number, in host byte order.
    pub const fn number(&self) -> u32 {
        u32::from_be(self.number_be)
    }

    /// What the number is, if this version knows it.
    pub fn space(&self) -> Option<NumberSpace> {
        NumberSpace::ALL
            .into_iter()
            .find(|space| (*space as u32).to_be() == self.space_be)
    }
}
