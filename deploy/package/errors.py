"""What can go wrong while a package is built."""


class PackageError(RuntimeError):
    """A package cannot be built; the text is one line and names the remedy."""
