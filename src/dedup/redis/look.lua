-- ARGV: nothing, lease. A push whose lease is over counts as absent.
local push = read()
if not push or push.running and push.since >= tonumber(ARGV[2]) then return {'-', ''} end
return {push.state, push.answer}
