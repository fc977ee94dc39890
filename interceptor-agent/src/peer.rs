// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whoever waits for an answer at the socket.

use interceptor_wire::heard_from;
use tokio::{io::Interest, net::UnixStream};

/// The other end of a connection whose request was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer<'a>(&'a UnixStream);

impl<'a> Peer<'a> {
    pub(crate) const fn new(socket: &'a UnixStream) -> Self {
        Self(socket)
    }

    /// Returns when the peer does not wait any more. A peer that says more than its request counts as one that is gone,
    /// and so does one whose socket has failed.
    pub(crate) async fn gone(self) {
        drop(self.0.async_io(Interest::READABLE, || heard_from(self.0)).await);
    }
}
