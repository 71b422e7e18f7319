"""The samples' file."""
