"""Ports, processes and files of the commands for microcontrollers."""
