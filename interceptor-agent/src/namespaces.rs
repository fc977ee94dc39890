// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The end of network namespaces, as the kernel tells it. Nothing here opens a namespace, so nothing here keeps one
//! alive.

use std::io;

use netlink_sys::{AsyncSocket as _, AsyncSocketExt as _, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};

/// The group of messages about the numbers that a network namespace gives to others
/// ([`rtnetlink.h`](https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/rtnetlink.h#L742)).
const RTNLGRP_NSID: u32 = 28;
/// A namespace with a number is gone.
const RTM_DELNSID: u16 = 89;

/// Hears of the ends of those namespaces that this process's own has a number for: they have an interface with one end
/// here, as pods have on most networks.
pub(crate) struct Ends {
    socket: TokioSocket,
}

impl Ends {
    pub(crate) fn listen() -> io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind(&SocketAddr::new(0, 0))?;
        socket.socket_mut().add_membership(RTNLGRP_NSID)?;
        Ok(Self { socket })
    }

    /// Returns when a namespace ends. What cannot be read, because too much happened at once, may have been an end.
    pub(crate) async fn next(&mut self) {
        while let Ok((message, _kernel)) = self.socket.recv_from_full().await {
            if kind(&message) == Some(RTM_DELNSID) {
                return;
            }
        }
    }
}

/// The type in a message's header. There is one message in each packet.
fn kind(message: &[u8]) -> Option<u16> {
    let kind = message.get(4..6)?;
    Some(u16::from_ne_bytes(kind.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_too_short_for_a_header_is_none() {
        assert_eq!(kind(&[20, 0, 0, 0, 89]), None);
        assert_eq!(kind(&[20, 0, 0, 0, 89, 0]), Some(u16::from_ne_bytes([89, 0])));
    }
}
