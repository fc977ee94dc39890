// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `interceptor` promises beyond Istio's verdict table, one file per story.

mod bad_input;
mod cgroups;
mod conntrack;
mod container;
mod dead_namespace;
mod dns;
mod established;
mod explain;
mod foreign_listener;
mod guard;
mod host_namespace;
mod interfaces;
mod killed_loader;
mod late_addresses;
mod limits;
mod local_ranges;
mod loopback_listener;
mod many_listeners;
mod meddle;
mod mptcp;
mod own_source;
mod ports;
mod rerun;
mod routes;
mod shared_bpffs;
mod sidecar_first;
mod sidecar_restart;
mod signals;
mod slots;
mod tproxy;
mod twins;
mod unread_output;
mod user_namespace;
mod validation;
