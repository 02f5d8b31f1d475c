"""From a clip and its transcript to features."""
