// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One TCP connection, looked at from the client's end.

use std::{
    io::{self, BufReader, Write as _},
    net::SocketAddr,
};

use clap::Args;
use interceptor_verify::probe::{Launch, Step, failure, look, receive, wait_connected};
use socket2::{Socket, Type};
use testkit::{
    records::{Failure, Report},
    write_line,
};

use crate::{
    mass::{self, Mass},
    socket::{SocketOptions, call_limit},
};

#[derive(Args)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(crate) socket: SocketOptions,
    /// Connect without blocking, and wait for the result
    #[arg(long)]
    nonblocking: bool,
    /// Send this line after connecting
    #[arg(long, value_name = "TEXT")]
    send: Option<String>,
    /// Do not wait for a line from the server
    #[arg(long)]
    pub(crate) no_receive: bool,
    /// Stay connected: send each line of standard input, and say what comes back
    #[arg(long)]
    hold: bool,
    #[command(flatten)]
    mass: Mass,
    /// Where to; several only with --count
    #[arg(required = true, value_name = "IP:PORT")]
    pub(crate) to: Vec<SocketAddr>,
}

impl Connect {
    pub(crate) fn run(&self, launch: &Launch) -> anyhow::Result<()> {
        if self.mass.is_wanted() {
            launch.assume_user()?;
            let connect = |number: usize| {
                let socket = self.socket.socket(Type::STREAM)?;
                self.converse(socket, self.to[number % self.to.len()], &mut Report::default())
            };
            return write_line(&mass::run(&self.mass, connect));
        }
        let made = self.socket.make(launch, Type::STREAM)?;
        let Some(to) = self.to.first().copied() else {
            anyhow::bail!("no destination")
        };
        let outcome = made.map(|socket| {
            let mut report = Report::default();
            let stream = self.converse(socket, to, &mut report);
            (report, stream)
        });
        match outcome {
            Err(error) => write_line(&Report { error: Some(error), ..Report::default() }),
            Ok((report, Err(error))) => write_line(&Report { error: Some(error), ..report }),
            Ok((report, Ok(stream))) => {
                write_line(&report)?;
                if self.hold { echo(stream) } else { Ok(()) }
            }
        }
    }

    /// Connects, talks and listens as the options say. `report` holds what was learned before a failure.
    pub(crate) fn converse(&self, socket: Socket, to: SocketAddr, report: &mut Report) -> Step<BufReader<Socket>> {
        if self.nonblocking {
            socket.set_nonblocking(true).map_err(|error| failure("setsockopt", &error))?;
        }
        match self.socket.connect(&socket, to) {
            Err(Failure { errno, .. }) if self.nonblocking && errno == "ETIMEDOUT" => {
                wait_connected(&socket, call_limit())?;
            }
            other => other?,
        }
        *report = look(&socket);
        if let Some(text) = &self.send {
            send_line(&socket, text)?;
        }
        let mut stream = BufReader::new(socket);
        if !self.no_receive {
            report.received = Some(receive(&mut stream)?);
        }
        Ok(stream)
    }
}

/// Sends a line in one piece. In two pieces, it would depend on timing which of them meets a reset.
fn send_line(mut socket: &Socket, line: &str) -> Step<()> {
    let line = format!("{line}\n");
    socket.write_all(line.as_bytes()).map_err(|error| failure("send", &error))
}

/// Passes lines from standard input to the server, and the answers back, until there are no more.
fn echo(mut stream: BufReader<Socket>) -> anyhow::Result<()> {
    for line in io::stdin().lines() {
        let line = line?;
        let (received, error) = match send_line(stream.get_ref(), &line).and_then(|()| receive(&mut stream)) {
            Ok(received) => (Some(received), None),
            Err(error) => (None, Some(error)),
        };
        write_line(&Report { received, error, ..look(stream.get_ref()) })?;
    }
    Ok(())
}
