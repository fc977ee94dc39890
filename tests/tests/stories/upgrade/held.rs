// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections that are open while programs are replaced.

use std::net::SocketAddr;

use testkit::{OpenConnection, scene::Scene};

/// Connections of the application to the server.
#[derive(Default)]
pub(super) struct Held(Vec<(OpenConnection, [Option<SocketAddr>; 2])>);

impl Held {
    pub(super) fn add(&mut self, scene: &Scene<'_>) {
        let mut connection = scene.pod.app().hold(scene.server(), scene.client_flags());
        let seen = connection.look();
        self.0.push((connection, [seen.peer, seen.local]));
    }

    pub(super) fn expect_unchanged(&mut self) {
        for (connection, addresses) in &mut self.0 {
            connection.expect_echo("the connection that was there goes on");
            let seen = connection.look();
            assert_eq!([seen.peer, seen.local], *addresses, "its addresses stay");
        }
    }
}
