// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The resolvers.

use testkit::programs::Build;

use crate::resolver::{
    Finds, Resolver,
    Servers::{Configured, Named, NamedV4, NamedV6},
    Source,
};

/// What has to be built before the resolvers can run; put into the directory `{work}`.
pub(crate) const FILES: [Build; 6] = [
    Build::Copy("datagrams.py", include_str!("programs/datagrams.py")),
    Build::Copy("resolve.py", include_str!("programs/resolve.py")),
    Build::Copy("resolve.mjs", include_str!("programs/resolve.mjs")),
    Build::Compile(
        "Resolve.java",
        include_str!("programs/Resolve.java"),
        &["sh", "-ec", "javac -d \"$0.classes\" \"$1\"; jar --create --file \"$0\" -C \"$0.classes\" ."],
    ),
    // With cgo it can also ask by way of the system's library.
    Build::Compile(
        "resolve.go",
        include_str!("programs/resolve.go"),
        &["env", "CGO_ENABLED=1", "go", "build", "-o"],
    ),
    Build::Compile(
        "resolve.c",
        include_str!("programs/resolve.c"),
        &["musl-gcc", "-static", "-O1", "-Wall", "-Werror", "-o"],
    ),
];

const PLAIN: Resolver = Resolver {
    name: "",
    program: "",
    arguments: &[],
    servers: Configured,
    finds: Finds::Both,
    shows: &[],
    source: Source::Any,
    privileged: false,
};

pub(crate) const DIG: Resolver = Resolver {
    name: "dig",
    program: "dig",
    arguments: &["+time=30", "+tries=1", "@{server}", "{name}"],
    servers: Named,
    finds: Finds::V4,
    shows: &["status: NOERROR", "SERVER: {server}#53({server}) (UDP)"],
    source: Source::PortAlone,
    privileged: false,
};

pub(crate) const DIG_TCP: Resolver = Resolver {
    name: "dig_tcp",
    arguments: &["+time=30", "+tries=1", "+tcp", "@{server}", "{name}"],
    shows: &["status: NOERROR", "SERVER: {server}#53({server}) (TCP)"],
    source: Source::Any,
    ..DIG
};

/// glibc.
pub(crate) const GETENT: Resolver =
    Resolver { name: "getent", program: "getent", arguments: &["ahosts", "{name}"], ..PLAIN };

pub(crate) const NODE_CARES: Resolver = Resolver {
    name: "node_cares",
    program: "node",
    arguments: &["{work}/resolve.mjs", "cares", "{name}"],
    shows: &["servers {server}"],
    ..PLAIN
};

pub(crate) const JAVA: Resolver = Resolver {
    name: "java",
    program: "java",
    arguments: &[
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-cp",
        "{work}/Resolve.java.program",
        "Resolve",
        "system",
        "{name}",
    ],
    ..PLAIN
};

pub(crate) const GO: Resolver = Resolver {
    name: "go",
    program: "env",
    arguments: &["GODEBUG=netdns=go", "{work}/resolve.go.program", "{name}"],
    ..PLAIN
};

pub(crate) const RESOLVERS: &[Resolver] = &[
    DIG,
    DIG_TCP,
    Resolver {
        name: "dig_truncated",
        finds: Finds::Hundred,
        shows: &["Truncated, retrying in TCP mode", "SERVER: {server}#53({server}) (TCP)"],
        ..DIG
    },
    Resolver {
        name: "dig_truncated_ignored",
        arguments: &["+time=30", "+tries=1", "+ignore", "@{server}", "{name}"],
        finds: Finds::Some,
        shows: &["flags: qr aa tc", "SERVER: {server}#53({server}) (UDP)"],
        ..DIG
    },
    Resolver {
        name: "dig_in_turn",
        arguments: &["+time=30", "+tries=1", "{name}", "@{server}", "{name}", "@{other}"],
        shows: &["SERVER: {server}#53({server}) (UDP)", "SERVER: {other}#53({other}) (UDP)"],
        ..DIG
    },
    Resolver {
        name: "dig_bound",
        arguments: &["+time=30", "+tries=1", "-b", "{source}", "@{server}", "{name}"],
        source: Source::Second,
        ..DIG
    },
    Resolver {
        name: "dig_bound_tcp",
        arguments: &["+time=30", "+tries=1", "+tcp", "-b", "{source}", "@{server}", "{name}"],
        source: Source::Second,
        ..DIG_TCP
    },
    Resolver {
        name: "dig_configured",
        arguments: &["+time=30", "+tries=1", "{name}"],
        servers: Configured,
        ..DIG
    },
    Resolver {
        name: "host",
        program: "host",
        arguments: &["-v", "-t", "A", "-W", "30", "{name}", "{server}"],
        shows: &["Address: {server}#53", "bytes from {server}#53"],
        ..DIG
    },
    Resolver {
        name: "host_tcp",
        program: "host",
        arguments: &["-v", "-T", "-t", "A", "-W", "30", "{name}", "{server}"],
        shows: &["Address: {server}#53", "bytes from {server}#53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "nslookup",
        program: "nslookup",
        arguments: &["-timeout=30", "{name}", "{server}"],
        servers: Named,
        shows: &["Server: {server} Address: {server}#53"],
        source: Source::PortAlone,
        ..PLAIN
    },
    Resolver {
        name: "busybox",
        program: "busybox",
        arguments: &["nslookup", "{name}", "{server}"],
        servers: Named,
        shows: &["Server: {server} Address: {host}:53"],
        source: Source::PortAlone,
        ..PLAIN
    },
    Resolver {
        name: "busybox_configured",
        program: "busybox",
        arguments: &["nslookup", "{name}"],
        source: Source::PortAlone,
        ..PLAIN
    },
    Resolver {
        name: "python_connected",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "connected", "{name}", "{server}"],
        shows: &["from {server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_unconnected",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "unconnected", "{name}", "{server}"],
        shows: &["from {server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_several",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "unconnected", "{name}", "{server}", "{other}"],
        shows: &["from {server} 53", "from {other} 53"],
        source: Source::Several,
        ..DIG
    },
    Resolver {
        name: "python_bound",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "bound", "{name}", "{server}", "{source}"],
        shows: &["from {server} 53"],
        source: Source::Second,
        ..DIG
    },
    Resolver {
        name: "python_mapped",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "mapped", "{name}", "{server}", "{other}"],
        servers: NamedV4,
        shows: &["from ::ffff:{server} 53", "from ::ffff:{other} 53"],
        source: Source::Several,
        ..DIG
    },
    Resolver {
        name: "python_connected_by_interface",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "connected:unicast", "{name}", "{server}"],
        shows: &["from {server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_unconnected_by_interface",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "unconnected:unicast", "{name}", "{server}"],
        shows: &["from {server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_mapped_by_interface",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "mapped:unicast", "{name}", "{server}"],
        servers: NamedV4,
        shows: &["from ::ffff:{server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_connected_message_by_interface",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "connected:message", "{name}", "{server}"],
        shows: &["from {server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_message_by_interface",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "unconnected:message", "{name}", "{server}"],
        shows: &["from {server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_mapped_message_by_interface",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "mapped:message", "{name}", "{server}"],
        servers: NamedV4,
        shows: &["from ::ffff:{server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_connected_by_sticky_interface",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "connected:sticky", "{name}", "{server}"],
        servers: NamedV6,
        shows: &["from {server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_unconnected_by_sticky_interface",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "unconnected:sticky", "{name}", "{server}"],
        servers: NamedV6,
        shows: &["from {server} 53"],
        source: Source::Any,
        ..DIG
    },
    Resolver {
        name: "python_bound_while_connecting",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "connected:device", "{name}", "{server}"],
        shows: &["from {server} 53"],
        source: Source::Any,
        privileged: true,
        ..DIG
    },
    Resolver {
        name: "python_as_systemd_resolved",
        program: "python3",
        arguments: &["-I", "{work}/datagrams.py", "connected:resolved", "{name}", "{server}"],
        shows: &["from {server} 53"],
        source: Source::Any,
        privileged: true,
        ..DIG
    },
    GETENT,
    Resolver {
        name: "getent_tcp",
        program: "env",
        arguments: &["RES_OPTIONS=use-vc", "getent", "ahosts", "{name}"],
        ..PLAIN
    },
    Resolver { name: "getent_truncated", finds: Finds::Hundred, ..GETENT },
    Resolver {
        name: "python",
        program: "python3",
        arguments: &["-I", "{work}/resolve.py", "{name}"],
        ..PLAIN
    },
    Resolver {
        name: "node_lookup",
        program: "node",
        arguments: &["{work}/resolve.mjs", "lookup", "{name}"],
        ..PLAIN
    },
    NODE_CARES,
    Resolver { name: "node_cares_truncated", finds: Finds::Hundred, ..NODE_CARES },
    JAVA,
    JAVA_JNDI,
    Resolver { name: "java_jndi_truncated", finds: Finds::Hundred, ..JAVA_JNDI },
    GO,
    Resolver { name: "go_truncated", finds: Finds::Hundred, ..GO },
    Resolver {
        name: "go_cgo",
        arguments: &["GODEBUG=netdns=cgo", "{work}/resolve.go.program", "{name}"],
        ..GO
    },
    // It asks all servers at once, from one socket.
    Resolver {
        name: "musl",
        program: "env",
        arguments: &["{work}/resolve.c.program", "{name}"],
        source: Source::Several,
        ..PLAIN
    },
];

const JAVA_JNDI: Resolver = Resolver {
    name: "java_jndi",
    arguments: &[
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-cp",
        "{work}/Resolve.java.program",
        "Resolve",
        "jndi",
        "{name}",
    ],
    source: Source::PortAlone,
    ..JAVA
};
