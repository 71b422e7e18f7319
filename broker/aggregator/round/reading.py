"""From a message of an update to what happened in the round."""

from broker.aggregator.round import words as w
from broker.contract.errors import MessageError
from broker.contract.federated.update import decode_slice


def read_message(device: str, place: int, payload: bytes) -> tuple[w.Arrived | w.Broken, bytes]:
    """The event, and the codec's bytes; `place` is the slice that the topic names."""
    try:
        piece = decode_slice(payload)
    except MessageError as error:
        return w.Broken(device, len(payload), str(error)), b""
    if piece.number != place:
        why = f"slice {piece.number} was sent to the place of slice {place}"
        return w.Broken(device, len(payload), why), b""
    arrived = w.Arrived(
        *(device, piece.number, piece.of, piece.codec, piece.examples, len(payload)),
        piece.losses,
    )
    return arrived, piece.data
