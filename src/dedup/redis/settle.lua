-- ARGV: owner, new state, run, age to write if the push is absent, time to live, whether this may be a repetition,
-- channel, what to publish there, answer, lease.
local state, run, age = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local push = read()
if push then
  local owned = push.running and push.owner == owner
  -- Who took the push over has died, and a run that it replaced has not: that one counts.
  local left_behind = push.running and not owned and push.since >= tonumber(ARGV[10]) and state ~= 'x'
  if left_behind then
    run = math.max(run, push.run)
  elseif not owned then
    local done = push.owner == owner and not push.running and (push.state == 'x') == (state == 'x')
    return ARGV[6] == '1' and state ~= 'r' and done and 1 or 0
  end
  age = push.age
  if state == 'r' then state = push.state end
end
write(state, run, age, owner, tonumber(ARGV[5]), ARGV[9])
-- Who waits elsewhere has left its mark; in a record that vanished it vanished too.
if state ~= 'r' and state ~= 'w' and (not push or push.state == 'w') then
  redis.pcall('PUBLISH', ARGV[7], ARGV[8])
end
return 1
