"""Disk, learners and power for federated jobs."""
