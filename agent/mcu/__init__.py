"""Commands for attached microcontrollers."""
