// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The words of entries in tables of slots, which programs on other processors read and write meanwhile.

use core::cell::UnsafeCell;

/// The words of an entry.
#[inline(always)]
pub(crate) fn value<const WORDS: usize>(entry: &[UnsafeCell<u64>; WORDS]) -> [u64; WORDS] {
    core::array::from_fn(|word| read(&entry[word]))
}

/// Reads a word that other programs may write. Words are read and written whole.
#[inline(always)]
pub(crate) fn read(word: &UnsafeCell<u64>) -> u64 {
    // SAFETY: an entry lives as long as any program that can see it.
    unsafe { word.get().read_volatile() }
}

/// Writes a word that other programs may read or write.
#[inline(always)]
pub(crate) fn write(word: &UnsafeCell<u64>, value: u64) {
    // SAFETY: as above. Programs may write to entries.
    unsafe { word.get().write_volatile(value) };
}
