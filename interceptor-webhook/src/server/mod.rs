// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How requests come in: connections with TLS for the API server, and a plain port for kubelet and Prometheus.

mod connections;
mod door;
mod fairness;
mod places;
mod plain;
mod port;

pub(crate) use self::{
    connections::Connections,
    door::{Door, routes},
    plain::{Admin, admin_routes},
    port::listen,
};
