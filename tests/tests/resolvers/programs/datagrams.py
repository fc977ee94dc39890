# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Asks by datagrams of its own, and says from whom the answers come."""

import ipaddress
import socket
import struct
import sys


def question(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def address_in(answer):
    number, flags, _, answers = struct.unpack(">4H", answer[:8])
    assert (number, flags & 0x800F, answers) == (4711, 0x8000, 1), answer
    return ipaddress.ip_address(answer[-4:])


def datagram_socket(like):
    made = socket.socket(socket.AF_INET6 if ":" in like else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(30)
    return made


way, name, *servers = sys.argv[1:]
if way == "mapped":
    servers = ["::ffff:" + server for server in servers]
asking = datagram_socket(servers[0])
if way == "bound":
    asking.bind((servers.pop(), 0))
if way == "connected":
    asking.connect((servers[0], 53))
    asking.send(question(name))
    print(address_in(asking.recv(512)), "from", *asking.getpeername()[:2])
else:
    # All are asked before the first answer is read.
    for server in servers:
        asking.sendto(question(name), (server, 53))
    for _ in servers:
        answer, source = asking.recvfrom(512)
        print(address_in(answer), "from", *source[:2])
