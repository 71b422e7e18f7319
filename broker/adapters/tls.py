"""What a client shows to a broker that speaks TLS."""

import ssl

from broker.errors import ConfigError
from broker.fleet.broker_address import BrokerAddress


def tls_context(address: BrokerAddress) -> ssl.SSLContext | None:
    """The certificates of an address; None without TLS.

    Raises:
        ConfigError: a certificate or key file cannot be used.
    """
    if not address.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=address.ca)
        if address.cert is not None:
            context.load_cert_chain(address.cert, address.key)
    except (OSError, ValueError) as error:
        files = ", ".join(filter(None, (address.ca, address.cert, address.key)))
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"certificates ({files}) cannot be used: {reason}") from error
    return context
