// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clients, and how each is told to fetch a page.

use testkit::programs::Build;

/// An ordinary client.
pub(crate) struct Client {
    pub(crate) name: &'static str,
    /// A program of the system's: other users cannot run those of root's home. `env` runs what was built.
    pub(crate) program: &'static str,
    pub(crate) build: Build,
    /// `{ip}`, `{host}` (`[fd99::1]` where the address is `fd99::1`) and `{file}` (what was built) stand for what
    /// they say.
    pub(crate) arguments: &'static [&'static str],
    /// What it is told on standard input.
    pub(crate) input: &'static str,
    /// How it shows what getpeername says: in a line of its own, as `peer {ip} 80`.
    pub(crate) shows_peer: bool,
}

const REQUEST: &str = "GET / HTTP/1.0\r\n\r\n";

const PLAIN: Client = Client {
    name: "",
    program: "",
    build: Build::Nothing,
    arguments: &[],
    input: "",
    shows_peer: false,
};

pub(crate) const CLIENTS: &[Client] = &[
    Client {
        name: "curl",
        program: "curl",
        arguments: &[
            "-q",
            "-sS",
            "--globoff",
            "--max-time",
            "30",
            "-w",
            "peer %{remote_ip} %{remote_port}\n",
            "http://{host}/",
        ],
        shows_peer: true,
        ..PLAIN
    },
    Client {
        name: "wget",
        program: "wget",
        arguments: &[
            "--no-config",
            "--no-proxy",
            "--quiet",
            "--timeout=30",
            "--tries=1",
            "--output-document=-",
            "http://{host}/",
        ],
        ..PLAIN
    },
    Client {
        name: "busybox",
        program: "busybox",
        arguments: &["wget", "-q", "-O", "-", "http://{host}/"],
        ..PLAIN
    },
    Client {
        name: "python",
        program: "python3",
        build: Build::Copy("client.py", include_str!("programs/client.py")),
        arguments: &["-I", "{file}", "{ip}", "80"],
        shows_peer: true,
        ..PLAIN
    },
    Client {
        name: "node",
        program: "node",
        build: Build::Copy("client.mjs", include_str!("programs/client.mjs")),
        arguments: &["{file}", "{ip}", "80"],
        shows_peer: true,
        ..PLAIN
    },
    Client {
        name: "java",
        program: "java",
        build: Build::Copy("Client.java", include_str!("programs/Client.java")),
        arguments: &["-XX:-UsePerfData", "{file}", "{ip}", "80"],
        ..PLAIN
    },
    Client {
        name: "go",
        program: "env",
        build: Build::Compile("client.go", include_str!("programs/client.go"), &["go", "build", "-o"]),
        arguments: &["{file}", "{ip}", "80"],
        shows_peer: true,
        ..PLAIN
    },
    Client {
        name: "static_musl",
        program: "env",
        build: Build::Compile(
            "client.c",
            include_str!("programs/client.c"),
            &["musl-gcc", "-static", "-O1", "-Wall", "-Werror", "-o"],
        ),
        arguments: &["{file}", "{ip}", "80"],
        shows_peer: true,
        ..PLAIN
    },
    Client {
        name: "ncat",
        program: "ncat",
        arguments: &["-n", "-w", "30", "{ip}", "80"],
        input: REQUEST,
        ..PLAIN
    },
    Client {
        name: "socat",
        program: "socat",
        arguments: &["-t", "30", "-", "TCP:{host}:80"],
        input: REQUEST,
        ..PLAIN
    },
];
