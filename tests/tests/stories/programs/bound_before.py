# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Binds sockets into the slots' networks, waits for a line, and then connects and sends from them. The argument is an
address of the pod."""

import errno
import socket
import sys

SLOTS = "127.150.1.2", "fd69:6e74:6572:6365::8016:102"
pod = dict(zip(SLOTS, sys.argv[1:]))
FREEBIND = {SLOTS[0]: (socket.IPPROTO_IP, 15), SLOTS[1]: (socket.IPPROTO_IPV6, 78)}
bound = []
for slot in pod:
    for kind, port in ((socket.SOCK_STREAM, 15006), (socket.SOCK_STREAM, 0), (socket.SOCK_DGRAM, 15053)):
        made = socket.socket(socket.AF_INET6 if ":" in slot else socket.AF_INET, kind)
        made.settimeout(10)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(*FREEBIND[slot], 1)
        made.bind((slot, port))
        bound.append((slot, made))
print("bound", flush=True)
sys.stdin.readline()
for slot, made in bound:
    udp = made.type == socket.SOCK_DGRAM
    for to in (("127.0.0.1" if ":" not in slot else "::1", 9), (pod[slot], 8080), (pod[slot], 15006)):
        try:
            if udp:
                made.sendto(b"x", to)
            else:
                made.connect(to)
            result = "done"
        except OSError as error:
            result = errno.errorcode.get(error.errno, str(error))
        print("udp" if udp else "tcp", *to, result, flush=True)
