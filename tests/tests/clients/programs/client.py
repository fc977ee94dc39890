# SPDX-License-Identifier: Apache-2.0 OR MIT
import http.client
import sys

connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=30)
connection.request("GET", "/")
peer = connection.sock.getpeername()
print("peer", peer[0], peer[1])
print(connection.getresponse().read().decode(), end="")
