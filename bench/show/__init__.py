"""What was measured, shown: in a terminal and as a page. Its libraries come with the extra `bench`."""
