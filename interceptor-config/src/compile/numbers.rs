// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a policy says of ports, users, groups and interfaces. IDs come out as the initial user namespace numbers
//! them.

use interceptor_policy::{NumberClass, NumberSpace};

use super::{
    compiled::{NumberPrefix, number_bits},
    interfaces::Excluded,
    prefixes::{Prefix, flatten},
};
use crate::{
    error::ConfigError,
    istio::{InboundConfig, OutboundConfig, OwnerGroupsConfig, ProxyConfig},
    pod::IdMap,
    settings::Setting,
    values::{NumberRange, Selection},
};

/// What stands in a list, and what the list says of it.
type List<'a> = (&'a [NumberRange], NumberClass);

pub(super) fn ports(outbound: &OutboundConfig, inbound: &InboundConfig) -> Vec<NumberPrefix> {
    // `-d` lists exceptions from `-b '*'`. For any other `-b`, Istio writes no rule for them.
    let inbound_excluded = if inbound.ports == Selection::All {
        inbound.ports_excluded.as_slice()
    } else {
        &[]
    };
    let lists: [List<'_>; 4] = [
        (&outbound.ports_excluded, NumberClass::OUTBOUND_EXCLUDED),
        (&outbound.ports, NumberClass::OUTBOUND_INCLUDED),
        (inbound_excluded, NumberClass::INBOUND_EXCLUDED),
        (inbound.ports.listed(), NumberClass::INBOUND_INCLUDED),
    ];
    in_space(NumberSpace::Port, &lists)
}

pub(super) fn users(proxy: &ProxyConfig, ids: &IdMap) -> Result<Vec<NumberPrefix>, ConfigError> {
    let all = outside(ids, Setting::ProxyUid, &proxy.uids)?;
    let first = outside(ids, Setting::ProxyUid, proxy.uids.get(..1).unwrap_or_default())?;
    let lists: [List<'_>; 2] = [(&all, NumberClass::PROXY_ID), (&first, NumberClass::FIRST_PROXY_ID)];
    Ok(in_space(NumberSpace::Uid, &lists))
}

pub(super) fn groups(
    proxy: &ProxyConfig,
    owner_groups: &OwnerGroupsConfig,
    ids: &IdMap,
) -> Result<Vec<NumberPrefix>, ConfigError> {
    let OwnerGroupsConfig { included, excluded } = owner_groups;
    let of_proxy = outside(ids, Setting::ProxyGid, &proxy.gids)?;
    // Only one of the two lists is in force, and `ONLY_LISTED_GROUPS` says which one.
    let owners = match included {
        Selection::All => outside(ids, Setting::OwnerGroupsExclude, excluded)?,
        Selection::Listed(listed) => outside(ids, Setting::OwnerGroups, listed)?,
    };
    let lists: [List<'_>; 2] = [(&of_proxy, NumberClass::PROXY_ID), (&owners, NumberClass::OWNER_GROUP)];
    Ok(in_space(NumberSpace::Gid, &lists))
}

/// The interfaces that are left alone.
pub(super) fn interfaces(excluded: &Excluded) -> Vec<NumberPrefix> {
    let indices: Vec<NumberRange> = excluded.indices().iter().copied().map(NumberRange::one).collect();
    in_space(NumberSpace::Interface, &[(&indices, NumberClass::INTERFACE_EXCLUDED)])
}

/// The IDs as the kernel programs see them.
fn outside(map: &IdMap, setting: Setting, ids: &[NumberRange]) -> Result<Vec<NumberRange>, ConfigError> {
    let ranges: Result<Vec<_>, _> = ids
        .iter()
        .map(|ids| map.outside(*ids).ok_or(ConfigError::UnmappedId { setting, ids: *ids }))
        .collect();
    Ok(ranges?.concat())
}

fn in_space(space: NumberSpace, lists: &[List<'_>]) -> Vec<NumberPrefix> {
    let blocks = |range: &NumberRange, class| {
        range
            .prefixes()
            .map(move |(number, len)| Prefix::new(number_bits(number), len, class))
    };
    let prefixes = lists
        .iter()
        .flat_map(|(ranges, class)| ranges.iter().flat_map(|range| blocks(range, *class)))
        .collect();
    flatten(prefixes, NumberClass::with)
        .into_iter()
        .map(|prefix| NumberPrefix::new(space, prefix))
        .collect()
}
