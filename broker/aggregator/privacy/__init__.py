"""Client-level differential privacy: noise, and what it is worth."""
