"""Random and mutated commands of the benchmark's text, from a seed."""

from collections.abc import Iterator
from random import Random

WORDS = (
    *("name", "profile", "timestamp", "results", "help", "db print", "db", "db load", "infer"),
    *("db load 490", "infer 1 0", "infer 2 1", "db 00", "db 7F80ff"),
)
LETTERS = "".join(map(chr, range(32, 127))).replace("%", "")


def commands(random: Random, count: int) -> Iterator[str]:
    """Without their end; none runs a model often."""
    for _ in range(count):
        command = _some(random)
        if command.startswith("infer") and len(command) > 9:
            command = command[:9]
        yield command


def _some(random: Random) -> str:
    chance = random.random()
    if chance < 0.2:
        return "".join(random.choices(LETTERS, k=random.randrange(100)))
    if chance < 0.4:
        return f"db {random.randbytes(random.randrange(40)).hex()}"
    word = list(random.choice(WORDS))
    if chance < 0.7:
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(word) + 1)
            word[at : at + random.randrange(2)] = random.choice(LETTERS)
    return "".join(word)
