"""The messaging product: its app, its tasks and the providers they call."""
