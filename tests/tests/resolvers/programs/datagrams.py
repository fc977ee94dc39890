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


IP_PKTINFO = 8
IP_UNICAST_IF = 50
IPV6_UNICAST_IF = 76


def name_interface(asking):
    """Before the socket is connected."""
    index = socket.if_nametoindex("eth0")
    if naming in ("unicast", "resolved"):
        if asking.family == socket.AF_INET6:
            asking.setsockopt(socket.IPPROTO_IPV6, IPV6_UNICAST_IF, struct.pack(">I", index))
        asking.setsockopt(socket.IPPROTO_IP, IP_UNICAST_IF, struct.pack(">I", index))
    if naming == "sticky":
        asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("16xi", index))
    if naming in ("device", "resolved"):
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0\0")


def unbind(asking):
    if naming in ("device", "resolved"):
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"\0")


def send(asking, server, *to):
    if naming != "message":
        return asking.sendto(question(name), *to) if to else asking.send(question(name))
    index = socket.if_nametoindex("eth0")
    if ":" in server and "::ffff:" not in server:
        info = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("16xi", index))
    else:
        info = (socket.IPPROTO_IP, IP_PKTINFO, struct.pack("i8x", index))
    return asking.sendmsg([question(name)], [info], 0, *to)


way, name, *servers = sys.argv[1:]
# How the socket, or the message, names an interface.
way, _, naming = way.partition(":")
if way == "mapped":
    servers = ["::ffff:" + server for server in servers]
asking = datagram_socket(servers[0])
if way == "bound":
    asking.bind((servers.pop(), 0))
name_interface(asking)
if way == "connected":
    asking.connect((servers[0], 53))
    unbind(asking)
    send(asking, servers[0])
    print(address_in(asking.recv(512)), "from", *asking.getpeername()[:2])
else:
    # All are asked before the first answer is read.
    for server in servers:
        send(asking, server, (server, 53))
    for _ in servers:
        answer, source = asking.recvfrom(512)
        print(address_in(answer), "from", *source[:2])
