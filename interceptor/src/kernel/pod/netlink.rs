// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Questions and requests to rtnetlink in a pod's network namespace. It knows nothing of why they are asked.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    pin::pin,
};

use anyhow::{Context as _, Result, bail};
use futures_util::{Stream, TryStreamExt as _};
use rtnetlink::{
    Error, Handle, IpVersion, RouteMessageBuilder, new_connection,
    packet_route::{
        route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
        rule::RuleMessage,
    },
};

use crate::kernel::pod::netns::Netns;

/// How many routes and rules are looked at. Whoever has `CAP_NET_ADMIN` in the pod may make as many as memory allows,
/// and must neither fill this process's memory nor keep other pods waiting.
const MOST: usize = 65_536;

/// Talks to rtnetlink in a network namespace.
pub(crate) fn talk<T: Send>(netns: &Netns, conversation: impl AsyncFnOnce(Handle) -> Result<T> + Send) -> Result<T> {
    netns.run(|| talk_here(conversation))?
}

/// Talks to rtnetlink in the network namespace of this thread.
pub(crate) fn talk_here<T>(conversation: impl AsyncFnOnce(Handle) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("Failed to start a netlink client")?;
    runtime.block_on(async {
        let (connection, handle, _) = new_connection().context("Failed to open a netlink socket")?;
        let server = tokio::spawn(connection);
        let done = conversation(handle).await;
        server.abort();
        done
    })
}

/// For requests to make something: that it is there already is what was wanted.
pub(crate) fn existing_is_fine(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::NetlinkError(message)) if message.raw_code() == -nix::libc::EEXIST => Ok(()),
        result => result,
    }
}

/// The routes of all tables of a family.
pub(crate) async fn all_routes(handle: &Handle, family: &IpVersion) -> Result<Vec<RouteMessage>> {
    let all = match family {
        IpVersion::V4 => RouteMessageBuilder::<Ipv4Addr>::new().build(),
        IpVersion::V6 => RouteMessageBuilder::<Ipv6Addr>::new().build(),
    };
    listed(handle.route().get(all).execute(), "routes").await
}

/// The rules that choose among those tables.
pub(crate) async fn all_rules(handle: &Handle, family: &IpVersion) -> Result<Vec<RuleMessage>> {
    listed(handle.rule().get(family.clone()).execute(), "rules").await
}

async fn listed<T>(answers: impl Stream<Item = Result<T, Error>>, what: &str) -> Result<Vec<T>> {
    let mut answers = pin!(answers);
    let mut all = Vec::new();
    while let Some(answer) = answers.try_next().await.with_context(|| format!("Failed to list the {what}"))? {
        if all.len() == MOST {
            bail!("The pod has more than {MOST} {what} of one family, too many to look at");
        }
        all.push(answer);
    }
    Ok(all)
}

/// `enum rt_class_t`: where the kernel keeps local addresses.
pub(crate) const RT_TABLE_LOCAL: u32 = 255;

/// Whether a route makes this destination local at an interface.
pub(crate) fn is_local(route: &RouteMessage, address: impl Into<IpAddr>, prefix_len: u8, interface: u32) -> bool {
    let destination = match address.into() {
        IpAddr::V4(v4) => RouteAddress::Inet(v4),
        IpAddr::V6(v6) => RouteAddress::Inet6(v6),
    };
    let has = |attribute: &RouteAttribute| route.attributes.contains(attribute);
    route.header.kind == RouteType::Local
        && table_of(route) == RT_TABLE_LOCAL
        && route.header.destination_prefix_length == prefix_len
        && has(&RouteAttribute::Destination(destination))
        && has(&RouteAttribute::Oif(interface))
}

/// Which table a route stands in.
pub(crate) fn table_of(route: &RouteMessage) -> u32 {
    let in_full = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    in_full.unwrap_or_else(|| route.header.table.into())
}

/// The index of the loopback interface of this thread's namespace.
pub(crate) fn loopback_index() -> Result<u32> {
    nix::net::if_::if_nametoindex("lo").context("Failed to find the loopback interface")
}
