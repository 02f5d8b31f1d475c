"""Published files in, utterances out; each corpus is a reader with a data card."""
