"""From the mean of a round's updates to the next global model."""
