"""Inputs behind one protocol; each reads one kind of hardware."""
