"""The serial bridge: attached microcontrollers become accelerators (docs/reference/wire.md)."""
