"""One job: its rounds in sequence, and what is left of it after a crash."""
