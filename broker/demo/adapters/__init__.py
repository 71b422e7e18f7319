"""The processes and the clients of the demo."""
