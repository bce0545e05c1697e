"""How sure we are: replicate weights, weighted moments under them, intervals."""
