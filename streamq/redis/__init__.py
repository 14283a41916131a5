"""The only importers of redis-py: which server, one connection, what its errors mean, and the scripts."""
