"""Database intake: rows of PostgreSQL become jobs, and follow them to their ends."""

from .intake import moving as moving
from .outbox import Outgoing as Outgoing
from .outbox import outgoing as outgoing
