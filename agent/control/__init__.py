"""The main process's state machines: pure, fed with events and the time."""
