"""From the description of a small network to a trainer module (docs/reference/train-abi.md)."""
