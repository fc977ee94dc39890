// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client that writes HTTP/1.1 itself, because it has to send what no library sends.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring, pki_types::CertificateDer,
    pki_types::ServerName,
};
use socket2::{Domain, Socket, Type};
use testkit::timeout;

use crate::authority::HOST;

/// A connection.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    /// The certificate of the server, if it has shown one.
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// An answer by HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, authority: &rcgen::Certificate) -> Self {
        Self::over(tcp(address), authority)
    }

    /// The same over a connection that is there.
    pub(crate) fn over(mut stream: TcpStream, authority: &rcgen::Certificate) -> Self {
        let name = ServerName::try_from(HOST).expect("a name of a host");
        let mut connection = ClientConnection::new(tls(authority, &[b"http/1.1"]), name).expect("a client of TLS");
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).expect("a handshake of TLS");
        }
        let certificate = connection.peer_certificates().map(|chain| chain[0].clone().into_owned());
        Self { stream: Box::new(StreamOwned::new(connection, stream)), certificate }
    }

    /// Without TLS.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { stream: Box::new(tcp(address)), certificate: None }
    }

    /// Asks, and reads the answer. The connection ends with it.
    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let length = body.len().to_string();
        let length = [("content-length", length.as_str()), ("connection", "close")];
        self.head(method, path, &[headers, &length].concat());
        self.send(body.as_bytes());
        self.answer()
    }

    /// Sends the head of a request. Nothing is added to the headers.
    pub(crate) fn head(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let lines: String = headers.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]).collect();
        self.send(format!("{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n{lines}\r\n").as_bytes());
    }

    /// A server that refuses what it has begun to read may close before it has read everything.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
        match sent.map_err(|error| error.kind()) {
            Ok(()) | Err(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {}
            Err(other) => panic!("send: {other}"),
        }
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("read a line");
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("a line of text").trim_end().to_owned()
    }

    /// An answer after which the server closes, or one with its length.
    pub(crate) fn answer(&mut self) -> Answer {
        let status = self.line();
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut length = 0;
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("read the body");
        Answer {
            status: status.expect("a status"),
            body: String::from_utf8(body).expect("a body of text"),
        }
    }

    /// Whether the server has closed the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.stream.read(&mut [0]).unwrap_or_default() == 0
    }
}

/// TLS with this authority and these protocols.
pub(crate) fn tls(authority: &rcgen::Certificate, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("an authority");
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder
        .expect("versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

pub(crate) fn tcp(address: SocketAddr) -> TcpStream {
    within_time(TcpStream::connect_timeout(&address, timeout()).expect("connect"))
}

/// From this address.
pub(crate) fn tcp_from(source: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("bind");
    socket.connect_timeout(&address.into(), timeout()).expect("connect");
    within_time(socket.into())
}

fn within_time(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(timeout())).expect("set a time limit");
    stream.set_write_timeout(Some(timeout())).expect("set a time limit");
    stream
}
