"""Shares devices between programs, without I/O."""
