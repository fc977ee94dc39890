// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Envoy's administration interface, on a Unix socket.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

pub(super) struct Admin(PathBuf);

impl Admin {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self(socket)
    }

    pub(super) fn socket(&self) -> &Path {
        &self.0
    }

    /// What is answered, with its head. An error when nobody answers.
    pub(super) fn get(&self, path: &str) -> io::Result<String> {
        self.request("GET", path)
    }

    pub(super) fn post(&self, path: &str) -> io::Result<String> {
        self.request("POST", path)
    }

    fn request(&self, method: &str, path: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.0)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: admin\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
