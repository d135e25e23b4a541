-- Takes a token for a catalogue item and checks whether a schedule needs the item. If none does, records the token as
-- the newest in the same step, so that earlier reads of the item cannot be stored.
-- KEYS  1 copy (string)  2 version token (hash)  3 dependants (zset)
-- ARGV  1 seconds for which an idle version token is kept
-- Reply: token, 1 if needed, 1 if a change still has to be propagated, the copy or nil
local token = redis.call('HINCRBY', KEYS[2], 'token', 1)
local copy = redis.call('GET', KEYS[1])
local needed = copy or redis.call('EXISTS', KEYS[3]) == 1
if not needed then
  redis.call('HSET', KEYS[2], 'newest', token)
  redis.call('HDEL', KEYS[2], 'missed')
end
local owed = redis.call('HEXISTS', KEYS[2], 'owed')
if owed == 0 and redis.call('HEXISTS', KEYS[2], 'missed') == 0 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return {token, needed and 1 or 0, owed, copy}
