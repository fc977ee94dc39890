// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose outbound connections are intercepted.

use serde::Serialize;

use crate::{
    accounts::Accounts,
    error::ConfigError,
    parse,
    settings::Setting,
    sources::Reader,
    values::{NumberRange, Selection, serialize_joined},
};

/// How many groups may be included: Istio's limit.
const MAX_INCLUDED: usize = 64;

/// Whose outbound connections are intercepted, by the group that made the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnerGroupsConfig {
    /// `ISTIO_OUTBOUND_OWNER_GROUPS`: a list without members means nobody's.
    #[serde(rename = "OUTBOUND_OWNER_GROUPS_INCLUDE")]
    pub included: Selection<NumberRange>,
    /// `ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE`: the list has no effect unless all groups are included.
    #[serde(rename = "OUTBOUND_OWNER_GROUPS_EXCLUDE", serialize_with = "serialize_joined")]
    pub excluded: Vec<NumberRange>,
}

impl OwnerGroupsConfig {
    pub(super) fn read(from: &Reader<'_>, accounts: &dyn Accounts) -> Result<Self, ConfigError> {
        let setting = Setting::OwnerGroups;
        let included = parse::groups_or_all(setting, &from.text(setting), accounts)?;
        let count = included.listed().len();
        if count > MAX_INCLUDED {
            return Err(ConfigError::TooManyOwnerGroups { setting, max: MAX_INCLUDED, count });
        }
        let setting = Setting::OwnerGroupsExclude;
        let excluded = parse::groups(setting, &from.text(setting), accounts)?;
        Ok(Self { included, excluded })
    }
}
