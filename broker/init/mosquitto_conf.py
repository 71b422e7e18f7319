"""The text of a fleet's mosquitto.conf, for mosquitto 2.0.11 and newer."""

from pathlib import PurePath

from broker.init.limits import MAX_PACKET_BYTES

TEMPLATE = """\
# Written by 'selvedge broker init'; its next run overwrites this file.
# Your own settings belong into files *.conf in {folder}/conf.d.

allow_anonymous false
allow_zero_length_clientid false
acl_file {folder}/acl

# What is retained outlives a restart; a crash forgets at most the last {autosave_s} seconds.
persistence true
persistence_location {folder}/data
autosave_interval {autosave_s}
persistent_client_expiration 14d

# Bounds: of a packet, and of what waits for one slow subscriber.
max_packet_size {packet_bytes}
max_inflight_messages {inflight}
max_queued_messages {queued}
max_queued_bytes {queued_bytes}

set_tcp_nodelay true
sys_interval 60
log_dest stderr
log_type error
log_type warning
log_type notice

# Devices: the certificate says who it is, the client id is what the certificate says, so that no
# device can end another's connection.
listener {port}
cafile {folder}/fleet-ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true

# Operators: an authority of their own, so that no device gets in here; several connections each.
listener {operators_port}
cafile {folder}/operators-ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
tls_version tlsv1.2
require_certificate true
use_identity_as_username true

include_dir {folder}/conf.d
"""

AUTOSAVE_S = 60
MAX_INFLIGHT_MESSAGES = 64
MAX_QUEUED_MESSAGES = 10_000
MAX_QUEUED_BYTES = 16 * 1024 * 1024


def operators_port(port: int) -> int:
    """The port for operators, next to that of the devices."""
    return port + 1


def mosquitto_conf(folder: PurePath, port: int) -> str:
    """Return the configuration of a broker whose files lie in `folder`."""
    return TEMPLATE.format(
        folder=folder,
        port=port,
        operators_port=operators_port(port),
        autosave_s=AUTOSAVE_S,
        packet_bytes=MAX_PACKET_BYTES,
        inflight=MAX_INFLIGHT_MESSAGES,
        queued=MAX_QUEUED_MESSAGES,
        queued_bytes=MAX_QUEUED_BYTES,
    )
