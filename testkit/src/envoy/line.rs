// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A line of Envoy's access log.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::ports::{HTTP, TCP, TLS, UNDECLARED};

/// From here on are the ports that the kernel chooses: not only those of sockets, which begin at 32,768, but those
/// that connection tracking gives to a connection whose port is taken.
const FIRST_CHOSEN: u16 = 1024;
/// Where somebody listens.
const SERVERS: [u16; 6] = [HTTP, TCP, TLS, UNDECLARED, 15_001, 15_006];

/// A connection, or a request on one. What Envoy does not know is `None`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// `outbound`, `inbound`
    pub direction: String,
    /// The filter chain that was chosen.
    pub chain: Option<String>,
    /// getpeername of the accepted socket.
    pub direct_peer: Option<String>,
    /// Whom Envoy takes for the client.
    pub peer: Option<String>,
    /// getsockname of the accepted socket.
    pub direct_local: Option<String>,
    /// `SO_ORIGINAL_DST`, or else getsockname.
    pub original_destination: Option<String>,
    pub cluster: Option<String>,
    /// Both ends of the connection onward.
    pub upstream_local: Option<String>,
    pub upstream_remote: Option<String>,
    /// Asked for in TLS.
    pub server_name: Option<String>,
    pub protocol: Option<String>,
    pub path: Option<String>,
    /// Of HTTP; 0 for other protocols.
    pub status: Option<u16>,
    /// What went wrong: `UF,URX`
    pub flags: Option<String>,
    /// Why there is no connection onward.
    pub failure: Option<String>,
}

impl Line {
    /// With `*` for ports that the kernel chose.
    #[must_use]
    pub fn without_ports(self) -> Self {
        let comparable = |address: Option<String>| address.map(|address| without_port(&address));
        Self {
            direct_peer: comparable(self.direct_peer),
            peer: comparable(self.peer),
            direct_local: comparable(self.direct_local),
            original_destination: comparable(self.original_destination),
            upstream_local: comparable(self.upstream_local),
            upstream_remote: comparable(self.upstream_remote),
            ..self
        }
    }
}

/// `10.0.0.1:40000` → `10.0.0.1:*`; other text and other ports stay.
pub fn without_port(address: &str) -> String {
    match address.parse::<SocketAddr>() {
        Ok(parsed) if parsed.port() >= FIRST_CHOSEN && !SERVERS.contains(&parsed.port()) => {
            let (ip, _) = address.rsplit_once(':').expect("a port");
            format!("{ip}:*")
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn only_ports_that_the_kernel_chose_are_left_out() {
        assert_eq!(without_port("10.0.0.1:40000"), "10.0.0.1:*");
        assert_eq!(without_port("[fd99::1]:40000"), "[fd99::1]:*");
        assert_eq!(without_port("[fd99::1]:11115"), "[fd99::1]:*");
        assert_eq!(without_port("127.0.0.1:15001"), "127.0.0.1:15001");
        assert_eq!(without_port("10.96.0.10:443"), "10.96.0.10:443");
        assert_eq!(without_port("10.0.0.1:8080"), "10.0.0.1:8080");
        assert_eq!(without_port("-"), "-");
    }
}
