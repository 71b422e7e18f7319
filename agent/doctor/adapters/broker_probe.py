"""Connects to a broker once, as an agent would."""

import errno
import os
import socket
import ssl
import time
from urllib.parse import urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.adapters.wakeup import wake_without_network
from agent.doctor.facts import BrokerAnswer, Refusal
from agent.errors import ConfigError

TIMEOUT_S = 5.0
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
NOT_TLS = ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE")
VERIFICATION = {
    9: Refusal.CLOCK,
    10: Refusal.EXPIRED,
    **dict.fromkeys((18, 19, 20, 21), Refusal.AUTHORITY),
    **dict.fromkeys((62, 64), Refusal.OTHER_NAME),
}
"""By the numbers of OpenSSL (x509_vfy.h)."""


def ask_broker(
    url: str,
    *,
    ca: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    password: tuple[str, str] | None = None,
) -> BrokerAnswer:
    """Connect, wait for the broker's answer, and leave.

    Args:
        password: with the user's name before it.

    Raises:
        ConfigError: `url` is no broker's.
    """
    scheme, host, port = _address(url)
    answers: list[ReasonCode] = []
    wake_without_network()
    # A name of its own: the agent's would throw a running agent off the broker.
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"selvedge-doctor-{os.getpid()}")
    client.connect_timeout = TIMEOUT_S
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.append(reason)
    if password is not None:
        client.username_pw_set(*password)
    try:
        if scheme == "mqtts":
            client.tls_set(ca, cert, key)
    except (OSError, ValueError) as error:
        return BrokerAnswer(url, 0, f"certificates: {error}", Refusal.UNREADABLE)
    began_at = time.monotonic()
    problem: str | None = None
    refusal = Refusal.OTHER
    try:
        client.connect(host, port)
        while not answers and time.monotonic() - began_at < TIMEOUT_S:
            if client.loop(0.1) != mqtt.MQTT_ERR_SUCCESS and not answers:
                problem = "closes the connection"
                break
    except OSError as error:
        problem, refusal = _told(error), _kind(error, tls=scheme == "mqtts")
    finally:
        milliseconds = round((time.monotonic() - began_at) * 1000)
        client.disconnect()
        client.loop(0.1)
    if answers:
        problem = str(answers[0]) if answers[0].is_failure else None
    elif problem is None:
        problem = "does not answer"
    return BrokerAnswer(url, milliseconds, problem, refusal)


def _told(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    return error.strerror or str(error)


def _kind(error: OSError, *, tls: bool) -> Refusal:
    match error:
        case ssl.SSLCertVerificationError():
            return VERIFICATION.get(error.verify_code, Refusal.OTHER)
        case ssl.SSLError():
            return Refusal.NO_TLS if error.reason in NOT_TLS else Refusal.OTHER
        case ConnectionResetError() if tls:  # what mosquitto does on a port without
            return Refusal.NO_TLS
        case socket.gaierror():
            return Refusal.NAME
        case ConnectionRefusedError():
            return Refusal.NOBODY
        case TimeoutError() | OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH | errno.EPERM):
            return Refusal.NETWORK
    return Refusal.OTHER


def _address(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ConfigError(f"--broker {url}: write mqtt://host[:port] or mqtts://…") from None
    if not parts.hostname:
        raise ConfigError(f"--broker {url}: names no host")
    return parts.scheme, parts.hostname, port
