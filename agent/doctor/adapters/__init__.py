"""Where the doctor touches the machine."""
