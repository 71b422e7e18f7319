"""What brings Selvedge onto a Raspberry Pi; run from a source tree, not installed."""
