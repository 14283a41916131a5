-- Tell the promoters of a due time that is earlier than all others. (`signals.py` reads the signals: lines that begin
-- with a word, and an empty one.) Publishing may be forbidden to our user: then nobody hears, and they look for
-- themselves.
-- parts: publish
local function signal_due(due)
  redis.pcall(PUBLISH, keys.signals, 'due ' .. due .. '\n\n')
end
