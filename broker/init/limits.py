"""Bounds that hold on every broker that we start or configure."""

MAX_PACKET_BYTES = 256 * 1024
"""A whole MQTT packet; the contract's largest chunk is 64 kB."""
