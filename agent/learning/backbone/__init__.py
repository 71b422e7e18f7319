"""A frozen model as a source of features."""
