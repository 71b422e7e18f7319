"""What an operator asks of the fleet over MQTT: who is there, what runs, what should run."""
