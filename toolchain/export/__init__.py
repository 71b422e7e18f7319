"""From trained parameters to an int8 model: quantized, joined to its backbone, with tests."""
