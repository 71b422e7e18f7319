"""From the job's wish to the codec that fulfils it."""

from broker.contract.federated.codecs.codec import Codec
from broker.contract.federated.codecs.f32 import F32
from broker.contract.federated.codecs.quantized import quantized
from broker.contract.federated.codecs.spec import CodecSpec
from broker.contract.federated.errors import CodecError


def codec_of(spec: CodecSpec, parameters: int) -> Codec:
    """The codec of a job.

    Args:
        spec: what the job asks for.
        parameters: length of each vector.

    Raises:
        CodecError: there is none of this name yet.
    """
    match spec.name:
        case "f32":
            return F32()
        case "int8" | "int4":
            return quantized(spec)
        case _:
            raise CodecError(f"codec {spec.name} is not there yet")
