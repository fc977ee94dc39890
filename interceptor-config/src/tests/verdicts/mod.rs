// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who goes where, under the configurations in use. The rows are those with which the rules of `istio-iptables` were
//! measured.

mod dns;
mod facts;
mod inbound;
mod injected;
mod interfaces;
mod outbound;
mod proxy;
mod routes;
mod tproxy;

use interceptor_policy::{
    Action, AddressClass, ConnectError, Owner, Protocol, Protocol::*, Reason, Reason::*, Tables as _,
};

use super::*;
