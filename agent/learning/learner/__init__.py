"""From a device's samples to its update of a round: the only code that sees both."""
