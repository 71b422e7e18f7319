"""Calls over a link, without I/O."""
