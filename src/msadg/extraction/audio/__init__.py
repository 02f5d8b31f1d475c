"""What is heard: from samples to steps of acoustic features."""
