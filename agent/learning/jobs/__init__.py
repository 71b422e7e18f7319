"""The device's part in federated jobs, as the main process plays it."""
