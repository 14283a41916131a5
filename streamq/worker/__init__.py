"""Running jobs: fetched into free slots, run, judged, and settled."""
