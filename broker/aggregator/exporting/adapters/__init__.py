"""The aggregator's end of that process."""
