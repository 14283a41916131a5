-- Bytes of jobs that one call reads; it stops at the first job that goes beyond, and is called again.
local BUDGET = 524288
