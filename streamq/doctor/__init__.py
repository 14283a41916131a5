"""The doctor: is this server fit for a queue, is it closed to others, is anything lost on it, and does anybody work?

addresses   each address of the list: what it answers, or what stands in the way (causes)
server      version, persistence, eviction, memory, clock, rights
holes       known holes of the server's version
doors       passwords, users, encryption
work        workers, handlers, queues that nobody serves
index       the keys of each queue, and the names of all queues
"""

from streamq.doctor.examination import examine
from streamq.doctor.finding import Finding

__all__ = ["Finding", "examine"]
