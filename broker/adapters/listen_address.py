"""Where a broker listens."""

import ipaddress
import re
from dataclasses import dataclass

from broker.errors import UsageError

DEFAULT_PORT = 1883
_HOST_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"


@dataclass(frozen=True)
class ListenAddress:
    """A host and a TCP port; port 0 stands for any free one."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        address = _ip(self.host)
        return address is not None and address.is_loopback

    @property
    def url(self) -> str:
        """The URL by which a client on this machine connects."""
        address = _ip(self.host)
        host = self.host
        if address is not None and address.is_unspecified:
            host = "::1" if address.version == 6 else "127.0.0.1"
        return f"mqtt://[{host}]:{self.port}" if ":" in host else f"mqtt://{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "ListenAddress":
        """Read `HOST:PORT`, `HOST`, `:PORT` or `PORT`; an IPv6 address stands in brackets.

        Raises:
            UsageError: neither a host name nor an address, or a port outside 0 to 65535.
        """
        if text.isascii() and text.isdigit():
            text = f":{text}"
        match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", text)
        if match is None:
            raise UsageError(
                f"cannot listen on {text[:80]!r}: use HOST:PORT, such as 127.0.0.1:1883"
            )
        host = match[1].strip("[]") or cls.host
        port = cls.port if match[2] is None else int(match[2])
        if port > 65535:
            raise UsageError(f"cannot listen on port {port}: ports end at 65535")
        if _ip(host) is None and (match[1][:1] == "[" or not re.fullmatch(_HOST_NAME, host)):
            raise UsageError(f"cannot listen on {host[:80]!r}: not a host name or address")
        return cls(host, port)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
