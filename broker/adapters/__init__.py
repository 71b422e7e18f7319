"""Where the broker package meets sockets, processes and files."""
