#!lua flags=allow-oom
-- One write of our own books (a beat, a name), which must not be refused when the memory is full: a worker whose
-- beat is refused would be declared lost in the middle of freeing it.
-- KEYS  1 where
-- ARGV  1 command  2… its arguments after the key
return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
