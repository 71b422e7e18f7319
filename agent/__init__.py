"""The program on the Raspberry Pi: input comes in, a model answers, results go out over MQTT."""
