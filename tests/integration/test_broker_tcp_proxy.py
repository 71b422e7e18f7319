"""The fault proxy does what its users count on."""

import socket
import threading
import time

import pytest

from broker.adapters.tcp_proxy import TcpProxy


@pytest.fixture
def echo():
    """A server that sends back what it gets; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def exchange(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    got = b""
    while len(got) < len(data):
        part = connection.recv(65536)
        if not part:
            break
        got += part
    return got


def test_forwards_both_ways_and_counts(echo):
    with TcpProxy(echo) as proxy:
        before = time.monotonic()
        with connect(proxy.port) as connection:
            assert exchange(connection, b"x" * 100_000) == b"x" * 100_000
            assert proxy.open_connections == 1
        assert proxy.crossed_bytes == 200_000
        assert [before <= at <= time.monotonic() for at in proxy.connects] == [True]


def test_half_close_passes_through(echo):
    with TcpProxy(echo) as proxy, connect(proxy.port) as connection:
        connection.sendall(b"last")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b"last"
        assert connection.recv(10) == b""


def test_cut_resets_what_is_open_and_lets_new_ones_in(echo):
    with TcpProxy(echo) as proxy:
        with connect(proxy.port) as connection:
            exchange(connection, b"x")
            proxy.cut()
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        with connect(proxy.port) as connection:
            assert exchange(connection, b"again") == b"again"


def test_refused_until_allowed(echo):
    with TcpProxy(echo) as proxy:
        proxy.allow(False)
        with pytest.raises(ConnectionResetError), connect(proxy.port) as connection:
            connection.recv(1)
        assert (proxy.refused, proxy.connects) == (1, [])
        proxy.allow(True)
        with connect(proxy.port) as connection:
            assert exchange(connection, b"x") == b"x"


def test_stalled_takes_bytes_and_gives_them_later(echo):
    with TcpProxy(echo) as proxy, connect(proxy.port) as old:
        exchange(old, b"x")
        proxy.stall(True)
        with connect(proxy.port) as new:
            for connection in (old, new):
                connection.sendall(b"held")
                connection.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    connection.recv(1)
            proxy.stall(False)
            for connection in (old, new):
                connection.settimeout(5)
                assert connection.recv(4) == b"held"


def test_latency_delays_without_limiting_the_rate(echo):
    with TcpProxy(echo, latency_s=0.1) as proxy, connect(proxy.port) as connection:
        started = time.monotonic()
        assert exchange(connection, b"x" * 500_000) == b"x" * 500_000
        assert time.monotonic() - started >= 0.2


def test_random_cuts_are_the_same_for_the_same_seed(echo):
    def lengths(seed: int) -> list[int]:
        with TcpProxy(echo, cut_every_bytes=5000, seed=seed) as proxy:
            got = []
            for _ in range(4):
                sent = 0
                with connect(proxy.port) as connection:
                    try:
                        while exchange(connection, b"x" * 100) == b"x" * 100:
                            sent += 100
                    except ConnectionError:
                        pass
                got.append(sent)
            return got

    assert lengths(1) == lengths(1) != lengths(2)


def test_nothing_behind_is_a_reset():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with (
        TcpProxy(port) as proxy,
        pytest.raises(ConnectionResetError),
        connect(proxy.port) as connection,
    ):
        connection.recv(1)


def test_close_ends_the_thread_and_frees_the_port(echo):
    proxy = TcpProxy(echo)
    connect(proxy.port)
    proxy.close()
    proxy.close()
    socket.create_server(("127.0.0.1", proxy.port)).close()
