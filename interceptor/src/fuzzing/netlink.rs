// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel tells of routes and of sockets. It sends nothing.

use std::hint::black_box;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::texts::text;
use crate::kernel::pod::{routes, sock_diag};

pub(super) fn routes(data: &[u8]) {
    if let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(data)
        && let NetlinkPayload::InnerMessage(message) = message.payload
    {
        routes::read_message(&message);
    }
}

pub(super) fn sock_diag(data: &[u8]) {
    black_box(sock_diag::read_datagram(data, &mut Vec::new()).is_ok());
}

pub(super) fn tcp_table(data: &[u8]) {
    black_box(sock_diag::in_tables(&[text(data)], &sock_diag::TCP).is_ok());
}
