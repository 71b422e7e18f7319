"""Frames and the reliable link on them, without I/O."""
