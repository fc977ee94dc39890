// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lists whose items are separated by commas. What an item is, others read.

use crate::{error::ConfigError, settings::Setting, values::Selection};

/// The items of a list. Empty items are dropped. Blanks are kept, they belong to the item
/// ([`Split`](https://github.com/istio/istio/blob/master/tools/common/config/config.go)).
pub(crate) fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|item| !item.is_empty())
}

/// `*`, or a list in which `*` has no place.
pub(crate) fn selection<T>(
    setting: Setting,
    value: &str,
    parse: impl FnMut(&str) -> Result<T, ConfigError>,
) -> Result<Selection<T>, ConfigError> {
    if value == "*" {
        return Ok(Selection::All);
    }
    if split(value).any(|item| item.trim_ascii() == "*") {
        return Err(ConfigError::StarInList { setting, value: value.to_owned() });
    }
    Ok(Selection::Listed(split(value).map(parse).collect::<Result<_, _>>()?))
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
