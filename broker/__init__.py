"""What stands beside the MQTT broker: contract, embedded broker, the operator's tools."""
