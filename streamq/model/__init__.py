"""What a job is made of, without a server: no module here does I/O."""
