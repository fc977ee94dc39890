# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Tries to get an address of the slots' networks as a source, in every way there is, and says what came of it."""

import errno
import os
import socket
import struct

IP_PKTINFO, IP_FREEBIND, IP_TRANSPARENT, IP_BIND_ADDRESS_NO_PORT = 8, 15, 19, 24
IPV6_TRANSPARENT, IPV6_FREEBIND = 75, 78
IPPROTO_MPTCP, IPPROTO_UDPLITE = 262, 136
V4, V6, MAPPED = "127.150.1.2", "fd69:6e74:6572:6365::8016:102", "::ffff:127.150.1.2"


def attempt(what, how):
    try:
        result = how()
    except OSError as error:
        result = errno.errorcode[error.errno]
    print(what, result)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bind(address, kind=socket.SOCK_STREAM, protocol=0, options=(), port=0):
    made = socket.socket(family(address), kind, protocol)
    for level, name in options:
        made.setsockopt(level, name, 1)
    made.bind((address, port))
    return "bound"


def send_from(address):
    """A message that names its source."""
    made = socket.socket(family(address), socket.SOCK_DGRAM)
    if ":" in address:
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)  # or the kernel refuses it
        to, info = "::1", (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, socket.inet_pton(family(address), address) + bytes(4))
    else:
        to, info = "127.0.0.1", (socket.IPPROTO_IP, IP_PKTINFO, struct.pack("i", 0) + socket.inet_aton(address) + bytes(4))
    made.sendmsg([b"x"], [info], 0, (to, 9))
    return "sent"


def send_from_connected():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.connect(("127.0.0.1", 9))
    info = (socket.IPPROTO_IP, IP_PKTINFO, struct.pack("i", 0) + socket.inet_aton(V4) + bytes(4))
    made.sendmsg([b"x"], [info])
    return "sent"


free = ((socket.IPPROTO_IP, IP_FREEBIND),)
late = ((socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),)
for address in (V4, MAPPED, V6):
    attempt(f"tcp {address}", lambda: bind(address))
    attempt(f"udp {address}", lambda: bind(address, socket.SOCK_DGRAM))
    attempt(f"udplite {address}", lambda: bind(address, socket.SOCK_DGRAM, IPPROTO_UDPLITE))
    attempt(f"mptcp {address}", lambda: bind(address, protocol=IPPROTO_MPTCP))
    attempt(f"late port {address}", lambda: bind(address, options=late))
    attempt(f"free {address}", lambda: bind(address, options=free))
    if os.getuid() == 0:
        ipv6 = ((socket.IPPROTO_IPV6, IPV6_TRANSPARENT), (socket.IPPROTO_IPV6, IPV6_FREEBIND))
        transparent = ((socket.IPPROTO_IP, IP_TRANSPARENT),) if address == V4 else ipv6
        attempt(f"transparent {address}", lambda: bind(address, options=transparent))
attempt("whole range", lambda: bind("127.255.0.1"))
attempt("other loopback", lambda: bind("127.127.255.255"))
for address in (V4, V6):
    attempt(f"message {address}", lambda: send_from(address))
attempt("message of a connected socket", send_from_connected)
