-- Takes a token for a catalogue item. The fence must outlive whoever holds the token: were it to expire
-- before the token is used, the token would be recorded above all those that are taken afterwards.
-- KEYS  1 fence (hash)
-- ARGV  1 seconds for which an idle fence is kept
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
if redis.call('HEXISTS', KEYS[1], 'owed') == 0 and redis.call('HEXISTS', KEYS[1], 'missed') == 0 then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return token
