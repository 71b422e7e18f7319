"""Ports, processes and clocks of the bridge."""
