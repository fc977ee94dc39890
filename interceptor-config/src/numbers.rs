// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ports, users and groups as iptables reads them. Istio hands its lists on unread, so whatever iptables takes is in
//! use: ranges and names too.
//!
//! Two differences, both toward refusing: numbers with leading zeros or `0x`, which iptables takes for octal and
//! hexadecimal, and IDs whose range runs backwards, which it takes for a range without members.

use super::{Accounts, ConfigError, NumberRange, Selection, Setting, go, list::split};

/// The highest ID; the one above means "no change" to the kernel.
const MAX_ID: u32 = u32::MAX - 1;

/// A list of ports or `*`.
pub(super) fn ports_or_all(
    setting: Setting,
    value: &str,
    accounts: &dyn Accounts,
) -> Result<Selection<NumberRange>, ConfigError> {
    selection(setting, value, |item| port_range(setting, item, accounts))
}

/// A list of ports.
pub(super) fn ports(setting: Setting, value: &str, accounts: &dyn Accounts) -> Result<Vec<NumberRange>, ConfigError> {
    split(value).map(|item| port_range(setting, item, accounts)).collect()
}

/// A list of users.
pub(super) fn users(setting: Setting, value: &str, accounts: &dyn Accounts) -> Result<Vec<NumberRange>, ConfigError> {
    split(value).map(|item| user_range(setting, item, accounts)).collect()
}

/// A list of groups.
pub(super) fn groups(setting: Setting, value: &str, accounts: &dyn Accounts) -> Result<Vec<NumberRange>, ConfigError> {
    split(value).map(|item| group_range(setting, item, accounts)).collect()
}

/// A list of groups or `*`.
pub(super) fn groups_or_all(
    setting: Setting,
    value: &str,
    accounts: &dyn Accounts,
) -> Result<Selection<NumberRange>, ConfigError> {
    selection(setting, value, |item| group_range(setting, item, accounts))
}

/// A port to listen on.
pub(super) fn one_port(setting: Setting, value: &str, accounts: &dyn Accounts) -> Result<u16, ConfigError> {
    match port(value.trim_ascii(), accounts) {
        Some(port) if port != 0 => Ok(port),
        Some(_) | None => Err(ConfigError::NotOnePort { setting, value: value.to_owned() }),
    }
}

/// `*`, or a list in which `*` has no place.
pub(super) fn selection<T>(
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

/// `parse_tcp_ports` of [`libxt_tcp.c`](https://git.netfilter.org/iptables/tree/extensions/libxt_tcp.c): an end left
/// out is the first or the last port. Blanks around an item are lost on the way there, when `iptables-restore` takes
/// its line apart.
fn port_range(setting: Setting, item: &str, accounts: &dyn Accounts) -> Result<NumberRange, ConfigError> {
    let text = item.trim_ascii();
    let bounds = match text.split_once(':') {
        None => port(text, accounts).map(|port| (port, port)),
        Some((first, last)) => {
            let first = if first.is_empty() { Some(0) } else { port(first, accounts) };
            let last = if last.is_empty() { Some(u16::MAX) } else { port(last, accounts) };
            first.zip(last)
        }
    };
    let (first, last) = bounds.ok_or_else(|| ConfigError::NotAPort { setting, item: item.to_owned() })?;
    forward(setting, item, first.into(), last.into())
}

fn port(text: &str, accounts: &dyn Accounts) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        go::parse_decimal(text)
    } else {
        accounts.service(text)
    }
}

fn user_range(setting: Setting, item: &str, accounts: &dyn Accounts) -> Result<NumberRange, ConfigError> {
    id_range(setting, item, |name| accounts.uid(name))
        .ok_or_else(|| ConfigError::NotAUser { setting, item: item.to_owned() })?
}

fn group_range(setting: Setting, item: &str, accounts: &dyn Accounts) -> Result<NumberRange, ConfigError> {
    id_range(setting, item, |name| accounts.gid(name))
        .ok_or_else(|| ConfigError::NotAGroup { setting, item: item.to_owned() })?
}

/// [`libxt_owner.c`](https://git.netfilter.org/iptables/tree/extensions/libxt_owner.c): a name wins over a number, and `-` and `:`
/// both make a range. `None` when it is neither.
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
    Some(forward(setting, item, id(first)?, id(last)?))
}

fn forward(setting: Setting, item: &str, first: u32, last: u32) -> Result<NumberRange, ConfigError> {
    if first > last {
        return Err(ConfigError::BackwardRange {
            setting,
            item: item.to_owned(),
            turned: NumberRange { first: last, last: first },
        });
    }
    Ok(NumberRange { first, last })
}
