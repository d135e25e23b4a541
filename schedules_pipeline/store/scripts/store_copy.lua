-- Stores what was read of a catalogue item, unless a newer token was recorded; records ours also where the
-- value is equal. A value that differs is owed to its dependants until it is acknowledged, unless it only restates
-- in another form what the stored copy means.
-- KEYS  1 copy (string)  2 fence (hash)
-- ARGV  1 token  2 value  3 the stored copy that means the same in another form ("" = none)
-- Reply: 1 if the copy changed, 1 if something is owed, and what a changed copy was before, if it was
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
