"""What the engine promises to those who use it as it is meant."""
