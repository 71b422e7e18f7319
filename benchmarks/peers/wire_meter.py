"""Counts what goes over the wire: a TCP proxy on loopback for each client."""

from functools import partial
from typing import NamedTuple, Self

from broker.adapters.tcp_proxy import TcpProxy


class Crossed(NamedTuple):
    """Bytes of TCP payload that crossed so far."""

    up: int
    down: int


class WireMeter:
    """Forwards as many ports as there are clients to one; `read` may be called from any thread.

    Attributes:
        ports: where the clients connect, in order.
    """

    def __init__(self, target_port: int, clients: int) -> None:
        """Listen; every connection to a port counts as that client's."""
        self._bytes = [[0, 0] for _ in range(clients)]
        self._proxies = [
            TcpProxy(target_port, overhear=partial(self._count, client))
            for client in range(clients)
        ]
        self.ports = [proxy.port for proxy in self._proxies]

    def read(self) -> list[Crossed]:
        """What each client sent and got."""
        return [Crossed(*each) for each in self._bytes]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies:
            proxy.close()

    def _count(self, client: int, _: int, is_up: bool, data: bytes) -> None:
        self._bytes[client][0 if is_up else 1] += len(data)
