"""`python -m deploy.package [--suite NAME] [--architecture NAME]` prints the packages' paths."""

import argparse
import sys
from pathlib import Path

from deploy.package.archive import build
from deploy.package.errors import PackageError
from deploy.package.targets import ARCHITECTURES, SUITES
from deploy.package.wheels import ROOT, own_wheel

CACHE = ROOT / ".cache" / "package"


def main() -> int:
    """Build what is asked for, else everything."""
    parser = argparse.ArgumentParser(description="Build the Debian packages.")
    parser.add_argument("--suite", choices=SUITES, action="append", help="all if left out")
    parser.add_argument("--architecture", choices=ARCHITECTURES, action="append", help="likewise")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--version", help="another than the sources say; for tests of upgrades")
    asked = parser.parse_args()
    try:
        wheel = own_wheel(CACHE)
        for suite in asked.suite or SUITES:
            for architecture in asked.architecture or ARCHITECTURES:
                made = build(
                    SUITES[suite],
                    ARCHITECTURES[architecture],
                    wheel,
                    CACHE,
                    asked.output / suite,
                    asked.version,
                )
                sys.stdout.write(f"{made}\n")
    except PackageError as error:
        sys.stderr.write(f"make deb: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
