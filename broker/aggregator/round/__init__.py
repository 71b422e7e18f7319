"""One round: who has sent what, what became of it, and when it is over."""
