"""Records, measurements -> tables, figures: the only room that rounds."""
