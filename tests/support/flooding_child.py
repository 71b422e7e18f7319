"""A child that never stops talking."""

from tests.support.misbehaving_child import flood

if __name__ == "__main__":
    flood()
