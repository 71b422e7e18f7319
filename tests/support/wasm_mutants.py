"""Modules with something changed, most of them where it hurts: in the code."""

from random import Random

from agent.runtime.wasm.sections import CODE, DATA, split

# Bytes that mean something as an instruction, a type, a length or a count.
TELLING = (
    *(0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x1A, 0x1B),
    *(0x20, 0x21, 0x22, 0x23, 0x24, 0x28, 0x36, 0x37, 0x3F, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45),
    *(0x6A, 0x7C, 0x7D, 0x7E, 0x7F, 0x80, 0x92, 0xA7, 0xAC, 0xC0, 0xFC, 0xFD, 0xFF),
)


def mutant(module: bytes, seed: int) -> bytes:
    """The module with one to four changes; equal seeds, equal mutants."""
    random = Random(seed)
    sections = split(module)[0]
    behind = sections[DATA][0]  # weights say nothing to a loader
    data = bytearray(module)
    for _ in range(random.choice((1, 1, 1, 1, 2, 4))):
        start, end = random.choice(((8, behind), sections[CODE], sections[CODE], (8, len(module))))
        at = random.randrange(start, min(end, len(data)))
        match random.randrange(6):
            case 0 | 1 | 2:
                data[at] = random.choice(TELLING)
            case 3:
                data[at] ^= 1 << random.randrange(8)
            case 4:  # exchange two bytes: the lengths stay right
                other = random.randrange(start, min(end, len(data)))
                data[at], data[other] = data[other], data[at]
            case 5:
                size = random.randint(1, 8)
                other = random.randrange(start, min(end, len(data)))
                data[at : at + size] = data[other : other + size]
    if random.randrange(16) == 0:
        del data[random.randrange(8, len(data)) :]
    return bytes(data)
