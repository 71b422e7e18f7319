"""Runs a model once on an array."""
