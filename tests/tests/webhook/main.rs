// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The admission webhook as a process: what it answers over TLS, what it does not take, and how it lives and ends.

mod authority;
mod certificates;
mod client;
mod ending;
mod http2;
mod lab;
mod limits;
mod measure;
mod metrics;
mod plain;
mod protocol;
mod reviews;
