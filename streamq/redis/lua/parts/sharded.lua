-- Whether this is a node of a cluster: there the names of channels end so (`Keys`), and signals stay at their node.
local SHARDED = string.sub(keys.signals, -8) == ':sharded'
