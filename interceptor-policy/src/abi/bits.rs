// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A set of flags as a number in a map. This file defines no flag.

/// Defines a set of flags: its type, and a constant for each flag.
macro_rules! bits {
    ($(#[$meta:meta])* $name:ident { $($(#[$flag_meta:meta])* $flag:ident = $bit:literal,)+ }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::Immutable, zerocopy::IntoBytes, zerocopy::KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name(u32);

        impl $name {
            $($(#[$flag_meta])* pub const $flag: Self = Self(1 << $bit);)+

            /// All flags, by name.
            #[cfg(test)]
            pub(crate) const FLAGS: &[(&'static str, u32)] = &[$((stringify!($flag), Self::$flag.0)),+];

            /// From the number in a map.
            #[inline(always)]
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The number in a map.
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether all bits of `flag` are set.
            #[inline(always)]
            pub const fn has(self, flag: Self) -> bool {
                self.0 & flag.0 == flag.0
            }

            /// Whether some bit of `flags` is set.
            #[inline(always)]
            pub const fn has_any(self, flags: Self) -> bool {
                self.0 & flags.0 != 0
            }

            /// Without the bits of `flag`.
            #[must_use]
            pub const fn without(self, flag: Self) -> Self {
                Self(self.0 & !flag.0)
            }

            /// The bits of both.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
    };
}

pub(super) use bits;
