// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many short connections, one after another. Each is checked from both ends.

use std::io::{Read as _, Write as _};

use anyhow::ensure;
use clap::Args;
use testkit::records::Transferred;

use super::maker::Maker;

#[derive(Args)]
pub(super) struct Churn {
    /// Connections, one after another
    #[arg(long)]
    count: u64,
    /// Send the question with the SYN (TCP Fast Open)
    #[arg(long)]
    fast_open: bool,
}

impl Churn {
    /// A question, an answer, and both ends close: the client first, the server first, and every tenth time with a
    /// reset.
    pub(super) fn run(&self, maker: &Maker<'_>) -> anyhow::Result<Transferred> {
        const QUESTION: &[u8; 100] = &[b'q'; 100];
        const ANSWER: &[u8; 400] = &[b'a'; 400];
        let mut bytes = 0;
        for index in 0..self.count {
            let (mut client, mut server) =
                if self.fast_open { maker.make_fast_open(QUESTION)? } else { maker.make()? };
            if !self.fast_open {
                client.write_all(QUESTION)?;
            }
            let mut question = [0; QUESTION.len()];
            server.read_exact(&mut question)?;
            server.write_all(ANSWER)?;
            let mut answer = [0; ANSWER.len()];
            client.read_exact(&mut answer)?;
            ensure!(
                &question == QUESTION && &answer == ANSWER,
                "connection {index} brought something else than was sent"
            );
            bytes += (question.len() + answer.len()) as u64;
            if index % 10 == 0 {
                socket2::SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO))?;
            }
            if index % 2 == 0 {
                drop(client);
            } else {
                drop(server);
            }
        }
        Ok(Transferred { connections: self.count, bytes })
    }
}
