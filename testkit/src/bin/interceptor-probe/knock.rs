// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One message to a Unix socket of packets, and its answer.

use std::{io, io::Read as _, path::PathBuf};

use clap::Args;
use interceptor_verify::probe::Launch;
use socket2::{Domain, SockAddr, Socket, Type};
use testkit::{records::Knocked, retry::retry, write_line};

#[derive(Args)]
pub(crate) struct Knock {
    /// The socket
    #[arg(value_name = "PATH")]
    socket: PathBuf,
    /// What to send
    #[arg(value_name = "TEXT")]
    message: String,
}

impl Knock {
    pub(crate) fn run(&self, launch: &Launch) -> anyhow::Result<()> {
        launch.assume_user()?;
        let mut knocked = Knocked::default();
        if let Err(error) = self.knock(&mut knocked) {
            knocked.error = Some(error.to_string());
        }
        write_line(&knocked)
    }

    fn knock(&self, knocked: &mut Knocked) -> io::Result<()> {
        let mut socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        socket.connect(&SockAddr::unix(&self.socket)?)?;
        knocked.connected = true;
        retry(|| socket.send(self.message.as_bytes()))?;
        let mut answer = vec![0; 1 << 16];
        let length = retry(|| socket.read(&mut answer))?;
        knocked.answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        Ok(())
    }
}
