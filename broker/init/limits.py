"""Bounds that hold on every broker that we start or configure."""

MAX_PACKET_BYTES = 320 * 1024
"""A whole MQTT packet: the contract's largest message, 256 kB, with its topic and headers."""
