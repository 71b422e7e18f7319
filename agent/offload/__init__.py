"""Inference on microcontrollers, with this machine to fall back on."""
