-- ARGV: this call's number, new state, time to live. The number of who made it late takes the owner's place.
local number, by = owner, ARGV[2]
local push = read()
if not push or push.running or push.state == 'x' then return {'-', 1} end
if push.state == 'o' then
  write(by, push.run, push.age, by == 'l' and number or push.owner, tonumber(ARGV[3]), push.answer)
  return {by, 1}
end
local again = push.state == 'l' and push.owner == number
return {push.state, (again or push.state == 'd' and by == 'd') and 1 or 0}
