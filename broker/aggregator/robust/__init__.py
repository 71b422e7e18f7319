"""Rules that withstand devices which lie, in place of the mean."""
