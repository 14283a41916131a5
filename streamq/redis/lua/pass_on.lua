#!lua flags=allow-oom
-- The worker that was told of a job has no slot for it: the next one that waits is told.
-- keys: signals
-- parts: wake_waiter
wake_waiter()
