"""What can be configured, where each value comes from, and how remote changes are merged in."""
