-- Stores rejections, then evicts the oldest of messages, and after them those of catalogue items, down to the limit.
-- The rejections of schedules stay: there is at most one for each schedule. Evictions are counted.
-- Subjects that another release stored or deleted, which knows no index, are brought in step first.
-- KEYS  1 refused (hash)  2 rejections_by_age (zset)  3 counters (hash)
-- ARGV  1 limit  2 counter of evicted messages  3 counter of evicted items
--       4... triples: subject, score, rejection (JSON)
-- A score is seconds since 1970, plus 1e11 for a catalogue item and 2e11 for a schedule.
local ITEM, SCHEDULE = 1e11, 2e11
if redis.call('HLEN', KEYS[1]) ~= redis.call('ZCARD', KEYS[2]) then
  for _, subject in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if redis.call('HEXISTS', KEYS[1], subject) == 0 then redis.call('ZREM', KEYS[2], subject) end
  end
  for _, subject in ipairs(redis.call('HKEYS', KEYS[1])) do
    local is_item = not string.find(subject, '[^0-9a-z]')
    local class = string.find(subject, '/', 1, true) and SCHEDULE or is_item and ITEM or 0
    redis.call('ZADD', KEYS[2], 'NX', class + tonumber(redis.call('TIME')[1]), subject)
  end
end
for i = 4, #ARGV, 3 do
  redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
end
local excess = redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. SCHEDULE) - tonumber(ARGV[1])
if excess <= 0 then return 0 end
local oldest = redis.call('ZRANGE', KEYS[2], 0, excess - 1, 'WITHSCORES')
for i = 1, #oldest, 2 do
  redis.call('HDEL', KEYS[1], oldest[i])
  redis.call('ZREM', KEYS[2], oldest[i])
  redis.call('HINCRBY', KEYS[3], tonumber(oldest[i + 1]) < ITEM and ARGV[2] or ARGV[3], 1)
end
return excess
