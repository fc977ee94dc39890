// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clients and servers of a comparison. Each is a process in a namespace and a cgroup, as some user; it is asked,
//! and answers, one JSON object per line. None of them ever judges what it sees.

mod agent;
mod answer;
mod launch;
mod output;
mod serve;
mod socket;

pub use agent::{has_io_uring, run as agent};
pub use launch::Launch;
pub use output::write_line;
pub use serve::{Serve, greeting, listen, until_terminated};
pub use socket::{Step, failure, look, receive, receive_datagram, wait_connected};
