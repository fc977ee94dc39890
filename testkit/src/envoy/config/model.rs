// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a sidecar is told: its services, its ports and its addresses. It knows no listener and no cluster.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::scene::Stack;

/// Everything in which two sidecars differ.
#[derive(Clone, Debug)]
pub struct Config {
    pub stack: Stack,
    /// Inbound by TPROXY: the listeners are transparent, and the application sees the client's own address.
    pub transparent: bool,
    /// The mesh's services that the application may call.
    pub services: Vec<Service>,
    /// The application's own ports. Others are passed through as TCP, or as HTTP if that is what they speak.
    pub ports: Vec<Port>,
    /// Where connections and requests are logged, one JSON object each: see [`Line`](crate::envoy::Line).
    /// [`Envoy::start`](crate::envoy::Envoy::start) chooses this and the next.
    pub access_log: PathBuf,
    /// A Unix socket.
    pub admin: PathBuf,
}

/// A service of the mesh.
#[derive(Clone, Debug)]
pub struct Service {
    /// By this name it is called in HTTP and in TLS.
    pub name: String,
    /// Its own address, at which nobody listens.
    pub address: SocketAddr,
    pub endpoint: SocketAddr,
    pub protocol: Protocol,
}

/// A port of the application.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    pub number: u16,
    pub protocol: Protocol,
}

/// How a port is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Envoy looks at the first bytes: HTTP/1.1 or HTTP/2 is routed by request, anything else passed through.
    Detect,
    /// Passed on without a look at it, so the server may speak first.
    Tcp,
    /// Routed by the server name that the client asks for, and not decrypted.
    Tls,
}

impl Config {
    /// That of a pod whose application calls no service and has declared no port.
    pub fn new(stack: Stack) -> Self {
        let later = PathBuf::new();
        Self {
            stack,
            transparent: false,
            services: Vec::new(),
            ports: Vec::new(),
            access_log: later.clone(),
            admin: later,
        }
    }

    /// The wildcard addresses that a listener has, as Istio chooses them by the pod's own addresses.
    pub(super) fn wildcards(&self) -> &'static [&'static str] {
        match self.stack {
            Stack::V4 => &["0.0.0.0"],
            Stack::V6 => &["::"],
            Stack::Dual => &["0.0.0.0", "::"],
        }
    }
}

/// An address as Envoy wants it.
pub(super) fn socket_address(ip: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": ip, "port_value": port } })
}

/// The same for an address with its port.
pub(super) fn of(address: SocketAddr) -> Value {
    socket_address(&address.ip().to_string(), address.port())
}

/// `10.96.0.10`, or `[fd96::10]`: as it stands in a URL.
pub(super) fn host(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}
