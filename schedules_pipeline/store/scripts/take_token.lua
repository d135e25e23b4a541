-- Takes a token for a catalogue item. The version token must outlive all tokens taken from it: a new one would start
-- counting again, and the old token would count as the newest.
-- KEYS  1 version token (hash)
-- ARGV  1 seconds for which an idle version token is kept
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
if redis.call('HEXISTS', KEYS[1], 'owed') == 0 and redis.call('HEXISTS', KEYS[1], 'missed') == 0 then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return token
