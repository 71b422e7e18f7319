"""The toolchain's doors to files."""
