"""How an operator reaches the broker: a URL, certificates, a prefix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.contract.shape.constraints import shorten
from broker.contract.topics import Topics
from broker.errors import UsageError

DEFAULT_URL = "mqtt://127.0.0.1:1883"
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
ENVIRONMENT_PREFIX = "SELVEDGE_BROKER__"
_URL = r"(mqtts?)://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?/?"


@dataclass(frozen=True)
class BrokerAddress:
    """A broker, and what this client shows to get in.

    Attributes:
        ca: file with the authority to believe instead of the system's.
        cert: file with the client's certificate.
        key: file with its private key.
    """

    host: str
    port: int
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    topics: Topics = field(default_factory=Topics)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def broker_address(
    options: Mapping[str, str | None], environment: Mapping[str, str]
) -> BrokerAddress:
    """Put together what was given, an option before its environment variable.

    Args:
        options: `url`, `ca`, `cert`, `key`, `prefix`; None or missing: not given.
        environment: `SELVEDGE_BROKER__URL`, `…__CA` and so on.

    Raises:
        UsageError: no such URL, a certificate without its key or without TLS.
        TopicError: no such prefix.
    """

    def value(name: str) -> str | None:
        return options.get(name) or environment.get(ENVIRONMENT_PREFIX + name.upper()) or None

    scheme, host, port = _split(value("url") or DEFAULT_URL)
    address = BrokerAddress(
        host,
        port,
        tls=scheme == "mqtts",
        ca=value("ca"),
        cert=value("cert"),
        key=value("key"),
        topics=Topics(value("prefix") or Topics().prefix),
    )
    if (address.cert is None) != (address.key is None):
        raise UsageError("--cert and --key belong together: give both or neither")
    if not address.tls and any(options.get(name) for name in ("ca", "cert", "key")):
        raise UsageError(f"certificates need TLS: use mqtts:// instead of {address}")
    return address


def _split(url: str) -> tuple[str, str, int]:
    match = re.fullmatch(_URL, url)
    if match is None:
        raise UsageError(f"broker {shorten(url, 80)} is refused: use mqtt[s]://HOST[:PORT]")
    scheme, host, port = match[1], match[2].strip("[]"), match[3]
    number = int(port) if port else DEFAULT_PORTS[scheme]
    if not 1 <= number <= 65535:
        raise UsageError(f"broker {shorten(url, 80)} is refused: ports go from 1 to 65535")
    return scheme, host, number
