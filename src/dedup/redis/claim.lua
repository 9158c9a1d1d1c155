-- ARGV: owner, lease, time to live of a running push, most runs; run and age to write if the push is absent.
local lease, ttl = tonumber(ARGV[2]), tonumber(ARGV[3])
local push = read()
if not push then
  write('r', ARGV[5], tonumber(ARGV[6]), owner, ttl, '')
  return {'n', tonumber(ARGV[5]), tonumber(ARGV[6]), 0, ''}
end
if not push.running and push.state ~= 'x' then
  return {push.state, push.run, push.age, 0, push.answer}
end
local left = lease - push.since
if push.running and push.owner == owner then -- this very claim, whose answer was lost
  return {'n', push.run, push.age, 0, ''}
end
if push.running and left > 0 then
  if push.state == 'r' then redis.call('SETRANGE', key, 1, 'w') end
  return {'r', push.run, push.age, left, ''}
end
if push.run >= tonumber(ARGV[4]) then
  return {'e', push.run, push.age, 0, ''}
end
write(push.state == 'w' and 'w' or 'r', push.run + 1, push.age, owner, ttl, '')
return {'n', push.run + 1, push.age, 0, ''}
