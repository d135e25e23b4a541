-- Returns the copy that a build must use: the stored one, or the given one if no newer token was recorded.
-- If another build has relied on the absence of the item, the inserted copy must be propagated.
-- KEYS  1 copy (string)  2 version token (hash)
-- ARGV  1 token  2 value  3 seconds for which an idle version token is kept
-- Reply: the copy, or nil if a newer token was recorded
local missed = redis.call('HEXISTS', KEYS[2], 'missed') == 1
if not missed and redis.call('HEXISTS', KEYS[2], 'owed') == 0 then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
local copy = redis.call('GET', KEYS[1])
if copy then return copy end
if tonumber(ARGV[1]) <= tonumber(redis.call('HGET', KEYS[2], 'newest') or '0') then return false end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], 'newest', ARGV[1])
if missed then
  redis.call('HDEL', KEYS[2], 'missed')
  redis.call('HSET', KEYS[2], 'owed', ARGV[1])
end
return ARGV[2]
