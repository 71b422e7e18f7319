"""When an answer of a microcontroller is computed here as well."""


class Trust:
    """A device's first answer after each of its starts is checked, and then one of so many."""

    def __init__(self, check_every: int) -> None:
        self._every = check_every
        self._seen: dict[str, tuple[int, int]] = {}

    def wants_check(self, name: str, epoch: int) -> bool:
        """Count an answer; return whether it is one to check.

        Args:
            epoch: another number after each start of the device.
        """
        known, unchecked = self._seen.get(name, (-1, 0))
        is_due = known != epoch or unchecked + 1 >= self._every
        self._seen[name] = epoch, 0 if is_due else unchecked + 1
        return is_due

    def betrayed(self, name: str) -> None:
        """It answered wrongly: whatever it says next is checked."""
        self._seen.pop(name, None)
