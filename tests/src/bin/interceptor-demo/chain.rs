// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One request's way through both sidecars, from what each of them saw.

use std::net::{IpAddr, SocketAddr};

use testkit::{
    PROXY_UID, Process,
    records::{Connection, Greeting, Listener},
};

use crate::{application::APPLICATION, sidecar::Sidecar, stage::CLIENT, tell::Tell};

/// Prints what the two sidecars and the web application saw of the latest request, and checks that each link joins
/// the next.
///
/// `dialed_from` is the client's own socket, where that is known.
pub(crate) fn show(tell: &mut Tell, seen: Seen, dialed_from: Option<SocketAddr>) -> anyhow::Result<()> {
    let Seen { client, web, application } = seen;
    let dialed: SocketAddr = APPLICATION.parse()?;

    tell.say(format_args!(
        "sidecar of the pod client (uid {PROXY_UID}): {}",
        connection(&client)
    ))?;
    tell.say(format_args!(
        "sidecar of the pod web    (uid {PROXY_UID}): {}",
        connection(&web)
    ))?;
    tell.say(format_args!(
        "web application           (uid {}): getpeername {}, getsockname {}",
        application.uid, application.peer, application.local
    ))?;

    let original = "knows the original destination";
    tell.holds(
        "the client's sidecar took it on its outbound port",
        &client.listener,
        &Listener::Outbound,
    )?;
    tell.holds(
        format!("the client's sidecar {original}, {dialed}"),
        &client.original_destination,
        &Some(dialed),
    )?;
    match dialed_from {
        Some(address) => tell.holds(
            format!("it sees the application's own address, {address}"),
            &client.peer,
            &address,
        )?,
        None => tell.holds(
            format!("it sees the application's own address, {CLIENT}"),
            &client.peer.ip(),
            &CLIENT.parse()?,
        )?,
    }
    tell.holds(
        "the web pod's sidecar took on its inbound port what the client's sidecar sent on",
        &web.listener,
        &Listener::Inbound,
    )?;
    tell.holds(
        "both name the same connection between the pods",
        &client.upstream_local,
        &Some(web.peer),
    )?;
    tell.holds(
        format!("the web pod's sidecar {original}, {dialed}"),
        &web.original_destination,
        &Some(dialed),
    )?;
    tell.holds(
        "the web application sees the sidecar of its pod",
        &Some(application.peer),
        &web.upstream_local,
    )?;
    tell.holds(
        "and it by the address that Istio's sidecars use, 127.0.0.6",
        &application.peer.ip(),
        &IpAddr::from([127, 0, 0, 6]),
    )?;
    tell.holds(
        format!("the web application's own side is what the client dialed, {dialed}"),
        &application.local,
        &dialed,
    )
}

/// What each of the three wrote about one request.
pub(crate) struct Seen {
    client: Connection,
    web: Connection,
    application: Greeting,
}

impl Seen {
    pub(crate) fn next(client: &mut Sidecar, web: &mut Sidecar, application: &mut Process) -> Self {
        Self { client: client.next(), web: web.next(), application: application.json() }
    }

    /// Whether each one's end is the next one's beginning.
    pub(crate) fn is_joined(&self) -> bool {
        self.client.upstream_local == Some(self.web.peer) && self.web.upstream_local == Some(self.application.peer)
    }
}

/// A sidecar's line, for people.
pub(crate) fn connection(connection: &Connection) -> String {
    let Connection { listener, peer, local, original_destination, upstream_local, refused } = connection;
    let original = original_destination.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let onward = match (upstream_local, refused) {
        (Some(address), _) => format!("sent on from {address}"),
        (None, Some(reason)) => format!("not sent on: {reason}"),
        (None, None) => "not sent on".to_owned(),
    };
    let listener = match listener {
        Listener::Outbound => "outbound",
        Listener::Inbound => "inbound",
    };
    format!("{listener} from {peer} at {local}, original destination {original}, {onward}")
}
