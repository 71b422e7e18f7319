"""The runtimes themselves."""
