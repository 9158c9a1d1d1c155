-- Reads the record of a push; anything that is not one in version 1 counts as absent.
local key, owner = KEYS[1], ARGV[1]

local function read()
  local text = redis.pcall('GET', key)
  if type(text) ~= 'string' or string.sub(text, 1, 1) ~= '1' or #text < 35 then return nil end
  local run = tonumber(string.sub(text, 3, 3))
  local ttl = tonumber(string.sub(text, 4, 11), 16)
  local age = tonumber(string.sub(text, 12, 19), 16)
  if not (run and ttl and age) then return nil end
  -- What is left of its time to live tells when it was written: nobody's clock but this server's is asked.
  local since = math.max(ttl - redis.call('PTTL', key), 0)
  local state = string.sub(text, 2, 2)
  return {
    state = state, run = run, since = since, age = age + since, owner = string.sub(text, 20, 35),
    running = state == 'r' or state == 'w', answer = string.sub(text, 36),
  }
end

local function write(state, run, age, by, ttl, answer)
  age = math.min(age, 4294967295)
  redis.call('SET', key, '1' .. state .. run .. string.format('%08x%08x', ttl, age) .. by .. answer, 'PX', ttl)
end
