-- One step on the record of one push: `EVALSHA … 1 KEY STEP ARGUMENTS`. Each may be repeated when its answer was lost.
--
-- The record, which no other place of this crate reads or writes but `Shared::fresh`, for the first claim:
--   1 STATE RUNS TTL AGE OWNER, a line feed, the answer if it is done. States: the table in `store::Redis`.
local key = KEYS[1]
local LAYOUT = '^1 ([rxodl]) ([0-3]) (%d+) (%d+) (' .. string.rep('%x', 32) .. ')\n(.*)$'

-- Anything that is not such a record counts as absent.
local function read()
  local text = redis.pcall('GET', key)
  if type(text) ~= 'string' then return nil end
  local state, runs, ttl, age, owner, answer = string.match(text, LAYOUT)
  if not state or #ttl > 12 or #age > 12 then return nil end
  -- What is left of its time to live tells when it was written: nobody's clock but this server's is asked.
  local since = math.max(tonumber(ttl) - redis.call('PTTL', key), 0)
  return {
    state = state, runs = tonumber(runs), since = since, age = tonumber(age) + since, owner = owner, answer = answer,
  }
end

local function write(state, runs, age, owner, ttl, answer)
  redis.call('SET', key, string.format('1 %s %d %d %d %s\n', state, runs, ttl, age, owner) .. answer, 'PX', ttl)
end

local steps = {}

function steps.claim(owner, runs, age, ttl, lease, most, may_take_over)
  local push = read()
  if not push then
    write('r', runs, age, owner, ttl, '')
    return {'n', tonumber(runs), tonumber(age), 0, ''}
  end
  local left = math.max(tonumber(lease) - push.since, 0)
  if push.state == 'r' then
    if push.owner == owner then return {'n', push.runs, push.age, 0, ''} end
    -- What the claiming process itself has left behind needs no lease to end: nothing of this push runs there.
    local own = string.sub(push.owner, 1, 16) == string.sub(owner, 1, 16)
    if own then
      runs = math.max(tonumber(runs), push.runs)
    elseif left > 0 or may_take_over == '0' then
      return {'r', push.runs, push.age, left, ''}
    else
      runs = push.runs + 1
    end
  elseif push.state == 'x' then
    runs = push.runs + 1
  else
    return {push.state, push.runs, push.age, 0, push.answer}
  end
  if runs > tonumber(most) then return {'e', push.runs, push.age, 0, ''} end
  write('r', runs, push.age, owner, ttl, '')
  return {'n', runs, push.age, 0, ''}
end

-- To renew (to `r`) and to finish (to `o`, `d`, `l`): of an owner that lives. 0 if the push is another's.
function steps.settle(owner, runs, age, ttl, lease, state, answer)
  local push = read()
  if push then
    if push.state == 'r' then
      if push.owner ~= owner and push.since < tonumber(lease) then return 0 end
    elseif push.state == 'x' then
      if push.owner == owner then return 0 end
    else
      -- Who made it late is a call of the owner's own process, if the end was understood when it was told first.
      local own = push.state == 'l' and string.sub(push.owner, 1, 16) == string.sub(owner, 1, 16)
      if push.owner ~= owner and not own then return 0 end
      if push.state ~= 'o' or state == 'r' or state == 'o' then return 1 end
    end
    runs, age = math.max(tonumber(runs), push.runs), push.age
  end
  write(state, runs, age, owner, ttl, answer)
  return 1
end

-- `uncounted`: 1 for a run that was not made.
function steps.release(owner, uncounted, ttl)
  local push = read()
  if not push or push.state == 'x' then return 1 end
  if push.state ~= 'r' or push.owner ~= owner then return 0 end
  write('x', math.max(push.runs - tonumber(uncounted), 0), push.age, owner, ttl, '')
  return 1
end

-- `number`, of this call, takes the owner's place in what is late, so that a repetition is recognised.
function steps.carry(by, number, ttl)
  local push = read()
  if not push or push.state == 'r' or push.state == 'x' then return {'-', 1} end
  if push.state == 'o' then
    write(by, push.runs, push.age, by == 'l' and number or push.owner, ttl, push.answer)
    return {by, 1}
  end
  local again = push.state == 'l' and push.owner == number
  return {push.state, (again or push.state == 'd' and by == 'd') and 1 or 0}
end

function steps.look(lease)
  local push = read()
  if not push then return {'-', 0, 0, 0, ''} end
  return {push.state, push.runs, push.age, math.max(tonumber(lease) - push.since, 0), push.answer}
end

-- Whether this server reads and writes for whoever asks.
function steps.test(ttl)
  read()
  redis.call('SET', key, '', 'PX', ttl)
  return 1
end

return steps[ARGV[1]](unpack(ARGV, 2))
