// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Comma-separated lists, and lists that may be `*` instead.

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
            Self::Listed(items) => serialize_comma_separated(items, serializer),
        }
    }
}

/// For `#[serde(serialize_with)]`: a list as it is written on the command line.
pub(super) fn serialize_comma_separated<T: Display, S: Serializer>(
    items: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&items.iter().map(T::to_string).collect::<Vec<_>>().join(","))
}

/// The items of a list. Empty ones are dropped; blanks are kept, they belong to the item
/// ([`Split`](https://github.com/istio/istio/blob/master/tools/common/config/config.go)).
pub(super) fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_items_are_dropped_and_blanks_are_kept() {
        assert_eq!(split("").count(), 0);
        assert_eq!(split(",,").count(), 0);
        assert_eq!(split("6000, 7000,").collect::<Vec<_>>(), ["6000", " 7000"]);
    }
}
