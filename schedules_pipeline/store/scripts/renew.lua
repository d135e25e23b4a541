-- Extends the lease of a claim; skips schedules that were claimed again since. At most 1,000 at once.
-- KEYS  1 leases (zset)  2 tokens (hash)
-- ARGV  1 token  2 end of the lease  3... schedule keys
local keys = {unpack(ARGV, 3)}
local renewed = 0
for i, token in ipairs(redis.call('HMGET', KEYS[2], unpack(keys))) do
  if token == ARGV[1] then renewed = renewed + redis.call('ZADD', KEYS[1], 'XX', 'CH', ARGV[2], keys[i]) end
end
return renewed
