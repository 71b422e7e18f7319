"""From the job's wish to the codec that fulfils it."""

from broker.contract.federated.codecs.codec import Codec
from broker.contract.federated.codecs.f32 import F32
from broker.contract.federated.codecs.one_bit import OneBit
from broker.contract.federated.codecs.quantized import Quantized
from broker.contract.federated.codecs.random_k import RandomK
from broker.contract.federated.codecs.spec import CodecSpec, kept
from broker.contract.federated.codecs.top_k import TopK


def codec_of(spec: CodecSpec, parameters: int) -> Codec:
    """The codec of a job.

    Args:
        spec: what the job asks for.
        parameters: length of each vector.
    """
    options = spec.options
    stochastic = options.rounding == "stochastic"
    match spec.name:
        case "f32":
            return F32()
        case "int8":
            return Quantized(spec.name, 8, stochastic)
        case "int4":
            return Quantized(spec.name, 4, stochastic)
        case "one_bit":
            return OneBit()
        case "top_k":
            return TopK(kept(parameters, options.fraction), options.bits)
        case "random_k":
            return RandomK(options.fraction, options.bits, stochastic)


def keeps_residual(spec: CodecSpec) -> bool:
    """Whether a device should keep what the codec did not send; see `feedback`.

    The others are unbiased, or nearly so, and need no memory.
    """
    return spec.name == "top_k"
