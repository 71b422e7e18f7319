"""The version of Selvedge, for `status`, the command line and the package."""

VERSION = "0.1.0"
