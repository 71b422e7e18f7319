"""Where activations lie in memory, planned before anything runs."""
