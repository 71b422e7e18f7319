"""Both ends of the pipe, the runtimes behind it, and the walls around them."""
