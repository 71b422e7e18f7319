"""What a device does in a round, as a state machine that the agent and the simulator share."""
