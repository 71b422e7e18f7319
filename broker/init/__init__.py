"""A mosquitto for a fleet: authority, certificates, access list, configuration."""
