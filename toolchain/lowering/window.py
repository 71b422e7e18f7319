"""The windows of convolutions and pooling, with explicit padding."""

from toolchain.lowering.site import Site
from toolchain.plan.parameters import Window
from toolchain.tflite.options import Conv2D, DepthwiseConv2D, Pool2D
from toolchain.tflite.slots import Padding

MAX_LENGTH = 32_767


def window(site: Site, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> Window:
    """The window of this size over input 0; a folded PAD adds to its padding."""
    options = site.operator.options
    assert isinstance(options, Conv2D | DepthwiseConv2D | Pool2D)
    top, bottom, left, right = site.node.pad
    _, height, width, _ = site.input(0).shape
    _, out_height, out_width, _ = site.output().shape
    pads = [top, left]
    if options.padding is Padding.SAME:
        pads[0] += same_padding(
            height + top + bottom, out_height, options.stride_h, kernel[0], dilation[0]
        )
        pads[1] += same_padding(
            width + left + right, out_width, options.stride_w, kernel[1], dilation[1]
        )
    strides = (options.stride_h, options.stride_w)
    if max(*kernel, *strides, *dilation, *pads, height, width, out_height, out_width) > MAX_LENGTH:
        site.refuse(f"a window, stride, padding or picture longer than {MAX_LENGTH}")
    return Window(*kernel, *strides, *dilation, *pads)


def same_padding(length: int, outputs: int, stride: int, kernel: int, dilation: int) -> int:
    """What TFLite's SAME puts before the input; an odd one goes behind it (kernels/padding.h)."""
    reach = (kernel - 1) * dilation + 1
    return max((outputs - 1) * stride + reach - length, 0) // 2
