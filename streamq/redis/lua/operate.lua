#!lua flags=allow-oom
-- A background operation begins, or is told to end.
-- keys: operations signals
-- arguments:
--   operation   its id
--   begins      what it is (JSON), or "" to cancel it
-- returns its state before, "" where there was none
-- parts: operation
local before = read_operation(args.operation)
if args.begins ~= '' then
  local begun = cjson.decode(args.begins)
  begun.created_ms, begun.state, begun.done = now, 'running', 0
  write_operation(args.operation, begun)
  redis.pcall('PUBLISH', keys.signals, 'operation\n\n')
elseif before and before.state == 'running' then
  end_operation(before, 'cancelled')
  write_operation(args.operation, before)
end
return before and before.state or ''
