"""The aggregator's disk and its link to the broker."""
