// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The entries of a policy's lists: how each is keyed in its map, and how it is read back. This file knows no map.

use interceptor_config::{AddressPrefix, CompiledPolicy, NumberPrefix, SourcePrefix};
use interceptor_policy::{Address, AddressClass, AddressKey, NumberClass, NumberKey};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A type that can stand in a map.
pub(crate) trait Plain: IntoBytes + FromBytes + Immutable + Copy + 'static {}

impl<T: IntoBytes + FromBytes + Immutable + Copy + 'static> Plain for T {}

/// One entry of a policy's list, as it stands in a map under its policy's generation.
pub(crate) trait Entry: Sized + 'static {
    type Key: Plain;
    type Value: Plain;

    /// What an entry is, for error messages.
    const WHAT: &'static str;

    /// The list in a policy.
    fn list(policy: &CompiledPolicy) -> &Vec<Self>;
    /// The same, to be filled.
    fn list_mut(policy: &mut CompiledPolicy) -> &mut Vec<Self>;

    /// How many bits of the key count in a trie, and the key.
    fn key(&self, generation: u32) -> (u32, Self::Key);
    fn value(&self) -> Self::Value;

    /// The generation in a key.
    fn generation(key: &Self::Key) -> u32;
    /// The entry that a key and its value stand for. `None` if another version wrote it.
    fn read(bits: u32, key: &Self::Key, value: Self::Value) -> Option<Self>;
}

impl Entry for AddressPrefix {
    type Key = AddressKey;
    type Value = AddressClass;

    const WHAT: &'static str = "an address range";

    fn list(policy: &CompiledPolicy) -> &Vec<Self> {
        &policy.addresses
    }

    fn list_mut(policy: &mut CompiledPolicy) -> &mut Vec<Self> {
        &mut policy.addresses
    }

    fn key(&self, generation: u32) -> (u32, AddressKey) {
        (
            AddressKey::PREFIX_BITS + self.prefix_len,
            AddressKey::new(generation, self.address),
        )
    }

    fn value(&self) -> AddressClass {
        self.class
    }

    fn generation(key: &AddressKey) -> u32 {
        key.generation()
    }

    fn read(bits: u32, key: &AddressKey, class: AddressClass) -> Option<Self> {
        let prefix_len = bits.checked_sub(AddressKey::PREFIX_BITS)?;
        Some(Self { address: key.address, prefix_len, class })
    }
}

impl Entry for NumberPrefix {
    type Key = NumberKey;
    type Value = NumberClass;

    const WHAT: &'static str = "a range of ports or ids";

    fn list(policy: &CompiledPolicy) -> &Vec<Self> {
        &policy.numbers
    }

    fn list_mut(policy: &mut CompiledPolicy) -> &mut Vec<Self> {
        &mut policy.numbers
    }

    fn key(&self, generation: u32) -> (u32, NumberKey) {
        (
            NumberKey::PREFIX_BITS + self.prefix_len,
            NumberKey::new(generation, self.space, self.number),
        )
    }

    fn value(&self) -> NumberClass {
        self.class
    }

    fn generation(key: &NumberKey) -> u32 {
        key.generation()
    }

    fn read(bits: u32, key: &NumberKey, class: NumberClass) -> Option<Self> {
        let prefix_len = bits.checked_sub(NumberKey::PREFIX_BITS)?;
        Some(Self { space: key.space()?, number: key.number(), prefix_len, class })
    }
}

impl Entry for SourcePrefix {
    type Key = AddressKey;
    type Value = Address;

    const WHAT: &'static str = "the source address of a route";

    fn list(policy: &CompiledPolicy) -> &Vec<Self> {
        &policy.sources
    }

    fn list_mut(policy: &mut CompiledPolicy) -> &mut Vec<Self> {
        &mut policy.sources
    }

    fn key(&self, generation: u32) -> (u32, AddressKey) {
        (
            AddressKey::PREFIX_BITS + self.prefix_len,
            AddressKey::new(generation, self.address),
        )
    }

    fn value(&self) -> Address {
        self.source
    }

    fn generation(key: &AddressKey) -> u32 {
        key.generation()
    }

    fn read(bits: u32, key: &AddressKey, source: Address) -> Option<Self> {
        let prefix_len = bits.checked_sub(AddressKey::PREFIX_BITS)?;
        Some(Self { address: key.address, prefix_len, source })
    }
}

/// A secondary address, and the first address of its interface.
impl Entry for (Address, Address) {
    type Key = AddressKey;
    type Value = Address;

    const WHAT: &'static str = "a secondary address";

    fn list(policy: &CompiledPolicy) -> &Vec<Self> {
        &policy.primaries
    }

    fn list_mut(policy: &mut CompiledPolicy) -> &mut Vec<Self> {
        &mut policy.primaries
    }

    fn key(&self, generation: u32) -> (u32, AddressKey) {
        (AddressKey::BITS, AddressKey::new(generation, self.0))
    }

    fn value(&self) -> Address {
        self.1
    }

    fn generation(key: &AddressKey) -> u32 {
        key.generation()
    }

    fn read(_bits: u32, key: &AddressKey, primary: Address) -> Option<Self> {
        Some((key.address, primary))
    }
}
