"""What is said: recognised speech, and when each word was."""
