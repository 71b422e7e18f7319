"""Connects to a broker once, as an agent would."""

import os
import ssl
import time
from urllib.parse import urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.doctor.facts import BrokerAnswer
from agent.errors import ConfigError

TIMEOUT_S = 5.0
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


def ask_broker(
    url: str, *, ca: str | None = None, cert: str | None = None, key: str | None = None
) -> BrokerAnswer:
    """Connect, wait for the broker's answer, and leave.

    Raises:
        ConfigError: `url` is no broker's, or the certificates cannot be read.
    """
    scheme, host, port = _address(url)
    answers: list[ReasonCode] = []
    # A name of its own: the agent's would throw a running agent off the broker.
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"selvedge-doctor-{os.getpid()}")
    client.connect_timeout = TIMEOUT_S
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.append(reason)
    try:
        if scheme == "mqtts":
            client.tls_set(ca, cert, key)
    except (OSError, ValueError) as error:
        raise ConfigError(f"certificates: {error}; check --ca, --cert and --key") from None
    began_at = time.monotonic()
    problem: str | None = None
    try:
        client.connect(host, port)
        while not answers and time.monotonic() - began_at < TIMEOUT_S:
            if client.loop(0.1) != mqtt.MQTT_ERR_SUCCESS and not answers:
                problem = "closes the connection"
                break
    except ssl.SSLCertVerificationError as error:
        problem = f"certificate refused: {error.verify_message}"
    except OSError as error:
        problem = error.strerror or str(error)
    finally:
        milliseconds = round((time.monotonic() - began_at) * 1000)
        client.disconnect()
        client.loop(0.1)
    if answers:
        problem = str(answers[0]) if answers[0].is_failure else None
    elif problem is None:
        problem = "does not answer"
    return BrokerAnswer(url, milliseconds, problem)


def _address(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ConfigError(f"--broker {url}: write mqtt://host[:port] or mqtts://…") from None
    if not parts.hostname:
        raise ConfigError(f"--broker {url}: names no host")
    return parts.scheme, parts.hostname, port
