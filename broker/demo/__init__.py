"""The whole system on one machine, in a minute."""
