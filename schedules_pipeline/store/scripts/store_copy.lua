-- Stores a catalogue item that was read, unless a newer token was recorded. Records the token also if the value is equal.
-- A different value is a pending propagation until it is acknowledged, unless it only restates the stored copy.
-- KEYS  1 copy (string)  2 version token (hash)
-- ARGV  1 token  2 value  3 the stored copy that means the same in another form ("" = none)
-- Reply: 1 if the copy changed, 1 if a propagation is pending, and the previous value of a changed copy
local token = tonumber(ARGV[1])
local changed, previous = 0, false
if token > tonumber(redis.call('HGET', KEYS[2], 'newest') or '0') then
  redis.call('HSET', KEYS[2], 'newest', ARGV[1])
  local copy = redis.call('GET', KEYS[1])
  if copy and copy == ARGV[3] then
    redis.call('SET', KEYS[1], ARGV[2])
  elseif copy ~= ARGV[2] then
    redis.call('SET', KEYS[1], ARGV[2])
    redis.call('HSET', KEYS[2], 'owed', ARGV[1])
    redis.call('HDEL', KEYS[2], 'missed')
    redis.call('PERSIST', KEYS[2])
    changed, previous = 1, copy
  end
end
return {changed, redis.call('HEXISTS', KEYS[2], 'owed'), previous}
