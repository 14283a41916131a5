"""What each script does to its keys."""
