"""Debian systems for tests: a root file system made of packages, without running any of it."""
