"""Runs two runtimes on the same input and names the first tensor that differs."""
