# SPDX-License-Identifier: Apache-2.0 OR MIT
import socket
import sys

for address in {entry[4][0] for entry in socket.getaddrinfo(sys.argv[1], None)}:
    print(address)
