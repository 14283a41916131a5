"""Database intake: rows of PostgreSQL become jobs, and follow them to their ends."""
