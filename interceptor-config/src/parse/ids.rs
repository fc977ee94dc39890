// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Users and groups as iptables reads them. A name means another number as a user than as a group.

use super::{
    list::{selection, split},
    range::range,
};
use crate::{
    accounts::Accounts,
    error::ConfigError,
    settings::Setting,
    values::{NumberRange, Selection, go},
};

/// The highest ID. The number above means "no change" to the kernel.
const MAX_ID: u32 = u32::MAX - 1;

/// A list of users.
pub(crate) fn users(setting: Setting, value: &str, accounts: &dyn Accounts) -> Result<Vec<NumberRange>, ConfigError> {
    split(value).map(|item| user_range(setting, item, accounts)).collect()
}

/// A list of groups.
pub(crate) fn groups(setting: Setting, value: &str, accounts: &dyn Accounts) -> Result<Vec<NumberRange>, ConfigError> {
    split(value).map(|item| group_range(setting, item, accounts)).collect()
}

/// A list of groups or `*`.
pub(crate) fn groups_or_all(
    setting: Setting,
    value: &str,
    accounts: &dyn Accounts,
) -> Result<Selection<NumberRange>, ConfigError> {
    selection(setting, value, |item| group_range(setting, item, accounts))
}

fn user_range(setting: Setting, item: &str, accounts: &dyn Accounts) -> Result<NumberRange, ConfigError> {
    id_range(setting, item, |name| accounts.uid(name))
        .ok_or_else(|| ConfigError::NotAUser { setting, item: item.to_owned() })?
}

fn group_range(setting: Setting, item: &str, accounts: &dyn Accounts) -> Result<NumberRange, ConfigError> {
    id_range(setting, item, |name| accounts.gid(name))
        .ok_or_else(|| ConfigError::NotAGroup { setting, item: item.to_owned() })?
}

/// [`libxt_owner.c`](https://git.netfilter.org/iptables/tree/extensions/libxt_owner.c): a name wins over a number, and
/// `-` and `:` both make a range. `None` if the item is neither a name nor a number.
fn id_range(
    setting: Setting,
    item: &str,
    lookup: impl Fn(&str) -> Option<u32>,
) -> Option<Result<NumberRange, ConfigError>> {
    let text = item.trim_ascii();
    if let Some(id) = lookup(text) {
        return Some(Ok(NumberRange::one(id)));
    }
    let (first, last) = text.split_once(['-', ':']).unwrap_or((text, text));
    let id = |text| go::parse_decimal(text).filter(|id| *id <= MAX_ID);
    Some(range(setting, item, id(first)?, id(last)?))
}
