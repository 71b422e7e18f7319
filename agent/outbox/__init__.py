"""Results that wait for the broker: in memory while they are young, on disk when they are not."""
