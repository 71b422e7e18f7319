"""Files and sockets of inference on microcontrollers."""
