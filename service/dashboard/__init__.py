"""The dashboard: one page, and the feed of live counts behind it."""
