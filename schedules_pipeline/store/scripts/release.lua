-- Releases schedules that were built; skips those that were claimed again since. At most 1,000 at once.
-- KEYS  1 leases (zset)  2 tokens (hash)  3 claimed causes (hash)  4 attempts (hash)  5 quarantined (hash)
-- ARGV  1 token  2... schedule keys
local keys = {unpack(ARGV, 2)}
local mine = {}
for i, token in ipairs(redis.call('HMGET', KEYS[2], unpack(keys))) do
  if token == ARGV[1] then mine[#mine + 1] = keys[i] end
end
if #mine > 0 then
  redis.call('ZREM', KEYS[1], unpack(mine))
  for i = 2, 5 do redis.call('HDEL', KEYS[i], unpack(mine)) end
end
return #mine
