"""Words about the package, for dpkg."""

from deploy.package.targets import Architecture, Suite

DESCRIPTION = """\
edge AI agent for the Raspberry Pi
 Runs int8 models on a camera, a microphone or a sensor, as TFLite or as sealed
 WebAssembly, and speaks with its fleet over MQTT. Everything that it needs
 besides Python is inside: nothing is downloaded when it is installed."""

RECOMMENDED = "mosquitto"


def control(version: str, suite: Suite, architecture: Architecture, installed_bytes: int) -> str:
    """The text of `DEBIAN/control`."""
    fields = {
        "Package": "selvedge",
        "Version": package_version(version, suite),
        "Architecture": architecture.debian,
        "Maintainer": "The Selvedge authors <selvedge@localhost>",
        "Installed-Size": str(-(-installed_bytes // 1024)),
        "Section": "science",
        "Priority": "optional",
        "Depends": ", ".join(dependencies(suite, architecture)),
        "Recommends": RECOMMENDED,
        "Suggests": "python3-picamera2, alsa-utils",
        "Description": DESCRIPTION,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def dependencies(suite: Suite, architecture: Architecture) -> list[str]:
    """What apt brings along, with versions where they matter."""
    major, minor = map(int, suite.python.split("."))
    python = [f"python3 (>= {suite.python})", f"python3 (<< {major}.{minor + 1})"]
    libraries = [f"libc6 (>= 2.{suite.glibc_minor})", "libgcc-s1", "libstdc++6"]
    return [*python, *libraries, *architecture.of_debian.values()]


def package_version(version: str, suite: Suite) -> str:
    """Newer for a newer release of Debian, so that an upgrade of the machine upgrades it."""
    return f"{version}+deb{suite.release}"
