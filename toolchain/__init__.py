"""On the workstation: train, quantize, write, read and inspect models."""
