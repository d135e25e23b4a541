-- Acknowledges a propagation, unless a newer change is pending.
-- KEYS  1 version token (hash)
-- ARGV  1 token  2 seconds for which an idle version token is kept
local owed = redis.call('HGET', KEYS[1], 'owed')
if owed and tonumber(owed) <= tonumber(ARGV[1]) then
  redis.call('HDEL', KEYS[1], 'owed')
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return 'OK'
