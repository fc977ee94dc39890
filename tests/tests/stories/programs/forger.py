# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Asks captured servers, is sent answers by others, and says whom it takes them for. The arguments are the server, the
loopback address of its family, and another loopback address."""

import socket
import sys

server, agent, other = sys.argv[1:]
family = socket.AF_INET6 if ":" in server else socket.AF_INET
AGENT_PORT = 15053


def bound(address, port):
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(10)
    made.bind((address, port))
    return made


def answers(asking, count):
    """Who sent them, in order of the text."""
    received = sorted(asking.recvfrom(512)[:2] for _ in range(count))
    return [f"{'forged' if text == b'forged' else 'answer'} from {source[0]} {source[1]}" for text, source in received]


# Somebody else sends from the agent's port, but not from the agent's address.
asking = socket.socket(family, socket.SOCK_DGRAM)
asking.settimeout(10)
asking.sendto(b"question", (server, 53))
print("server:", *answers(asking, 1))
forger = bound(other, AGENT_PORT)
forger.sendto(b"forged", (agent, asking.getsockname()[1]))
print("other address:", *answers(asking, 1))

# The same socket asks the agent itself.
asking.sendto(b"question", (agent, AGENT_PORT))
print("then the agent:", *answers(asking, 1))

# In the other order.
asking = socket.socket(family, socket.SOCK_DGRAM)
asking.settimeout(10)
asking.sendto(b"question", (agent, AGENT_PORT))
print("the agent:", *answers(asking, 1))
asking.sendto(b"question", (server, 53))
print("then a server:", *answers(asking, 1))

# Connected to the server, and then to the agent.
asking = socket.socket(family, socket.SOCK_DGRAM)
asking.settimeout(10)
asking.connect((server, 53))
print("connected:", *asking.getpeername()[:2])
asking.connect((agent, AGENT_PORT))
print("then to the agent:", *asking.getpeername()[:2])
asking.send(b"question")
print("answered:", *answers(asking, 1))
