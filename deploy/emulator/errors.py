"""What can go wrong with an emulated machine."""


class EmulatorError(RuntimeError):
    """The machine does not do what it was told; the text is one line."""
