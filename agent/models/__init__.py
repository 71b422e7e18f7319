"""Models that come over MQTT: from an outcome to a pipeline that serves it, and back again."""
