"""Where the agent's main process meets sockets, processes, files and the clock."""
