// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the programs under test are compared with iptables.

use interceptor_verify::scratch::{Programs, Scratch};

use crate::{interceptor, node::profile_directory, wait::timeout};

/// What is made goes with the value. The calling thread stays in a mount namespace of its own.
pub fn scratch() -> Scratch {
    let programs = Programs {
        interceptor: interceptor::binary().to_owned(),
        verify: profile_directory().join("interceptor-verify"),
    };
    Scratch::new(programs, timeout()).unwrap_or_else(|error| panic!("{error:#}"))
}
