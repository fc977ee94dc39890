// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lists that may be `*` instead, and how lists are printed.

use std::fmt::Display;

use serde::{Serialize, Serializer};

/// `*`, or a list that may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection<T> {
    /// `*`.
    All,
    /// These and no others.
    Listed(Vec<T>),
}

impl<T> Selection<T> {
    /// The items of a list; `*` has none.
    pub fn listed(&self) -> &[T] {
        match self {
            Self::All => &[],
            Self::Listed(items) => items,
        }
    }
}

impl<T: Display> Serialize for Selection<T> {
    /// As it is written on the command line.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("*"),
            Self::Listed(items) => serialize_joined(items, serializer),
        }
    }
}

/// For `#[serde(serialize_with)]`: a list as it is written on the command line.
pub(crate) fn serialize_joined<T: Display, S: Serializer>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&joined(items))
}

/// A list as it is written on the command line.
pub(crate) fn joined<T: Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
