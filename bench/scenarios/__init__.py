"""One scenario, one file, one anatomy: ``measure(rig)`` returns figures; the first line of the file says what."""
