"""Labelled samples that stay on the device."""
