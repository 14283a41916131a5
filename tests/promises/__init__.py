"""What the engine promises when things break."""
