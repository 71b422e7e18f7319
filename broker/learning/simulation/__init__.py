"""A job with thousands of virtual devices, on a virtual clock."""
