"""What a user may choose about a plan."""

from dataclasses import dataclass

from toolchain.plan.numbers import Rounding, Target


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices of the lowering.

    Attributes:
        float32_products: per-tensor FULLY_CONNECTED forms s_in · s_w in float32, as tflite-runtime
            2.14 does, and not in double, as TFLite Micro does.
        drops_idle_channels: channels that hold one number whatever the input are not computed.
    """

    rounding: Rounding = Rounding.DOUBLE
    target: Target = Target.PORTABLE
    float32_products: bool = False
    drops_idle_channels: bool = True
