"""How paho's thread is woken, without a network.

paho makes itself a pair of TCP sockets on 127.0.0.1 for that and waits for the second without a
limit: a service that may reach its broker only would never connect.
"""

import socket

from paho.mqtt import client as paho


def wake_without_network() -> None:
    """Let clients that connect from now on be woken through a pair of Unix sockets."""
    paho._socketpair_compat = _pair


def _pair() -> tuple[socket.socket, socket.socket]:
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    return ends
