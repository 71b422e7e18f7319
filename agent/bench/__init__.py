"""Measures models under runtimes."""
