// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ports as iptables reads them. A name means the TCP port of that service.

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

/// A list of ports.
pub(crate) fn ports(setting: Setting, value: &str, accounts: &dyn Accounts) -> Result<Vec<NumberRange>, ConfigError> {
    split(value).map(|item| port_range(setting, item, accounts)).collect()
}

/// A list of ports or `*`.
pub(crate) fn ports_or_all(
    setting: Setting,
    value: &str,
    accounts: &dyn Accounts,
) -> Result<Selection<NumberRange>, ConfigError> {
    selection(setting, value, |item| port_range(setting, item, accounts))
}

/// A port to listen on.
pub(crate) fn one_port(setting: Setting, value: &str, accounts: &dyn Accounts) -> Result<u16, ConfigError> {
    match port(value.trim_ascii(), accounts) {
        Some(port) if port != 0 => Ok(port),
        Some(_) | None => Err(ConfigError::NotOnePort { setting, value: value.to_owned() }),
    }
}

/// `parse_tcp_ports` of [`libxt_tcp.c`](https://git.netfilter.org/iptables/tree/extensions/libxt_tcp.c): a bound left
/// out is the first or the last port. `iptables-restore` splits its line at blanks, so blanks around an item are
/// lost.
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
    range(setting, item, first.into(), last.into())
}

fn port(text: &str, accounts: &dyn Accounts) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        go::parse_decimal(text)
    } else {
        accounts.service(text)
    }
}
