-- Clears what is owed to dependants, if it is not newer than what was propagated.
-- KEYS  1 fence (hash)
-- ARGV  1 token  2 seconds for which an idle fence is kept
local owed = redis.call('HGET', KEYS[1], 'owed')
if owed and tonumber(owed) <= tonumber(ARGV[1]) then
  redis.call('HDEL', KEYS[1], 'owed')
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return 'OK'
