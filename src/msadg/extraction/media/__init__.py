"""Video and sound files: opened safely, decoded once, on one time axis."""
