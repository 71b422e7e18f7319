"""How the weights of each target lie."""
