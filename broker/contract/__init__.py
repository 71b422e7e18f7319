"""The MQTT contract: topics, messages and their shapes; imports nothing else of ours."""
