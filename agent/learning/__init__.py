"""Learning on the device: data that stay here, and what is sent of what was learned."""
