"""What a model is shipped as: a manifest, and the files that it names by their content."""
