"""The inputs themselves, one small file each."""
