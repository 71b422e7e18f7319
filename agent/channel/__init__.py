"""What the main process and a pipeline child say to each other over a socket pair."""
