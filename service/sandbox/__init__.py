"""A provider to try things with: the application, and the ledger of what it was sent."""
