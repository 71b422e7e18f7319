"""How the vector of an update becomes bytes and int64 sums; one codec a file."""
