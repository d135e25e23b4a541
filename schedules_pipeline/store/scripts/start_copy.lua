-- Takes a token for a catalogue item and checks for its copy, if the back-reference index is not in Redis.
-- KEYS  1 copy (string)  2 version token (hash)
-- ARGV  1 seconds for which an idle version token is kept
-- Reply: token, 1 if a change still has to be propagated, the copy or nil
local token = redis.call('HINCRBY', KEYS[2], 'token', 1)
local owed = redis.call('HEXISTS', KEYS[2], 'owed')
if owed == 0 and redis.call('HEXISTS', KEYS[2], 'missed') == 0 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return {token, owed, redis.call('GET', KEYS[1])}
