-- Whether this is a node of a cluster: there the names of channels end in `:sharded` (`Keys`), and here in no `d`. Signals
-- stay at their node then.
local SHARDED = string.byte(keys.signals, -1) == 100
