"""What is written to the server and read from it, by subject."""
