"""Errors of the bridge; each names the culprit in one line."""


class BridgeError(Exception):
    """Base of every error of this package; its text is one line: what, where, the remedy."""


class RecordError(BridgeError, ValueError):
    """Bytes from the other side are not the record that they should be."""


class PortError(BridgeError, ConnectionError):
    """A port cannot be opened, is taken, or is gone."""


class LinkDownError(BridgeError, ConnectionError):
    """Nobody answers on a port, or in another protocol."""


class CallError(BridgeError):
    """The device refused a call.

    Attributes:
        status: the refusal as a number of `firmware_bridge.calls.methods.CallStatus`.
        detail: the engine's own status; 0 if it is not about that.
    """

    def __init__(self, text: str, status: int = 0, detail: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.detail = detail
