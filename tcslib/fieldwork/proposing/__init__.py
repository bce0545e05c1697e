"""A file nobody has described yet: what its columns seem to be."""
