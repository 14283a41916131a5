-- How a signal is published, and how those are counted who hear it.
-- parts: sharded
local PUBLISH, NUMSUB = 'PUBLISH', 'NUMSUB'
if SHARDED then PUBLISH, NUMSUB = 'SPUBLISH', 'SHARDNUMSUB' end
