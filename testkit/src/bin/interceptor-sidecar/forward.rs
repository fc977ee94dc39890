// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From an accepted connection to the one onward.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::BytesMut;
use socket2::SockRef;
use testkit::records::{Connection, Listener, canonical};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::listen::set_transparent;
use testkit::write_line;

/// Istio's rules let connections from here reach the application.
const PASSTHROUGH_V4: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);
const PASSTHROUGH_V6: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6);

const BUFFER: usize = 64 * 1024;

pub(crate) struct Forwarder {
    endpoints: BTreeMap<SocketAddr, SocketAddr>,
    sources: Vec<IpAddr>,
    /// The mark of connections from the client's address; without one they come from the sidecar's own.
    keep_client: Option<u32>,
}

impl Forwarder {
    pub(crate) fn new(
        endpoints: Vec<(SocketAddr, SocketAddr)>,
        sources: Vec<IpAddr>,
        keep_client: Option<u32>,
    ) -> Self {
        Self { endpoints: endpoints.into_iter().collect(), sources, keep_client }
    }

    /// Connects onward, writes the connection's line, and copies both ways until both sides are done. `port` is the
    /// listener's.
    pub(crate) async fn forward(
        &self,
        listener: Listener,
        port: u16,
        downstream: TcpStream,
        peer: SocketAddr,
    ) -> anyhow::Result<()> {
        let local = downstream.local_addr()?;
        let original_destination = original_destination(&downstream);
        let upstream = match destination(original_destination, port) {
            Ok(destination) => self
                .connect(listener, destination, peer)
                .await
                .map_err(|error| error.to_string()),
            Err(reason) => Err(reason.to_owned()),
        };
        let upstream_local = upstream.as_ref().ok().and_then(|stream| stream.local_addr().ok());
        let refused = upstream.as_ref().err().cloned();
        write_line(&Connection {
            listener,
            peer: canonical(peer),
            local: canonical(local),
            original_destination: original_destination.map(canonical),
            upstream_local,
            refused,
        })?;
        match upstream {
            Ok(upstream) => Ok(copy(downstream, upstream).await?),
            Err(_) => Ok(reset(&downstream)?),
        }
    }

    async fn connect(&self, listener: Listener, destination: SocketAddr, peer: SocketAddr) -> io::Result<TcpStream> {
        let destination = self.endpoints.get(&destination).copied().unwrap_or(destination);
        let (socket, passthrough) = match destination {
            SocketAddr::V4(_) => (TcpSocket::new_v4()?, IpAddr::V4(PASSTHROUGH_V4)),
            SocketAddr::V6(_) => (TcpSocket::new_v6()?, IpAddr::V6(PASSTHROUGH_V6)),
        };
        let source = match (listener, self.keep_client) {
            (Listener::Inbound, Some(mark)) => {
                let options = SockRef::from(&socket);
                options.set_mark(mark)?;
                set_transparent(&options, destination)?;
                Some(peer.ip())
            }
            (Listener::Inbound, None) => Some(passthrough),
            (Listener::Outbound, _) => self
                .sources
                .iter()
                .copied()
                .find(|source| source.is_ipv4() == destination.is_ipv4()),
        };
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.connect(destination).await
    }
}

/// `SO_ORIGINAL_DST`, by the family of the connection.
fn original_destination(stream: &TcpStream) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    socket.original_dst_v4().or_else(|_| socket.original_dst_v6()).ok()?.as_socket()
}

/// Where to go, unless that is the sidecar's own port: then nobody redirected this connection, or it would run in
/// circles.
fn destination(original: Option<SocketAddr>, own_port: u16) -> Result<SocketAddr, &'static str> {
    match original {
        None => Err("no original destination"),
        Some(original) if original.port() == own_port => Err("the original destination is the sidecar itself"),
        Some(original) => Ok(canonical(original)),
    }
}

/// Copies both ways; the end of one direction is passed on while the other goes on. A broken side breaks the other.
async fn copy(mut downstream: TcpStream, mut upstream: TcpStream) -> io::Result<()> {
    let copied = {
        let (mut from_client, mut to_client) = downstream.split();
        let (mut from_server, mut to_server) = upstream.split();
        tokio::try_join!(pump(&mut from_client, &mut to_server), pump(&mut from_server, &mut to_client))
    };
    if copied.is_err() {
        reset(&downstream)?;
        reset(&upstream)?;
    }
    copied.map(drop)
}

async fn pump(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(BUFFER);
    while from.read_buf(&mut buffer).await? > 0 {
        to.write_all_buf(&mut buffer).await?;
    }
    to.shutdown().await
}

/// The connection ends with an RST when it is dropped.
fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Both ends of a connection.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.unwrap(), server.unwrap().0)
    }

    #[tokio::test]
    async fn the_end_of_one_direction_leaves_the_other_open() {
        let (mut client, downstream) = connection().await;
        let (upstream, mut server) = connection().await;
        let copying = tokio::spawn(copy(downstream, upstream));

        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        server.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");

        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
        copying.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_reset_on_one_side_resets_the_other() {
        let (mut client, downstream) = connection().await;
        let (upstream, server) = connection().await;
        let copying = tokio::spawn(copy(downstream, upstream));
        reset(&server).unwrap();
        drop(server);
        let error = client.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        copying.await.unwrap().unwrap_err();
    }

    #[test]
    fn the_sidecars_own_port_is_no_destination() {
        let far: SocketAddr = "10.1.2.3:80".parse().unwrap();
        assert_eq!(destination(Some(far), 15001), Ok(far));
        assert!(destination(Some("127.0.0.1:15001".parse().unwrap()), 15001).is_err());
        assert!(destination(Some("10.1.2.3:15001".parse().unwrap()), 15001).is_err());
        assert!(destination(None, 15001).is_err());
    }
}
