"""TFLite models: bytes from outside to a checked `Model`, and back to bytes."""
