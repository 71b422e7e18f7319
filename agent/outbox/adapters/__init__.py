"""Where the outbox meets the disk."""
