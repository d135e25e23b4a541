-- Marks schedules for rebuild.
-- KEYS  1 dirty (zset)  2 causes (hash)  3 waiting (zset)  4 wake (list)
-- ARGV  1 causes kept per schedule, then triples: schedule key, due time, cause (one line of JSON)
-- Reply: how many schedules are pending now
-- Causes are stored as "<count>\n<cause>\n<cause>...": the first ones in full, the others counted.
local kept = tonumber(ARGV[1])
for i = 2, #ARGV, 3 do
  local key, due, cause = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  redis.call('ZADD', KEYS[1], 'LT', due, key)
  redis.call('ZREM', KEYS[3], key)
  local known = redis.call('HGET', KEYS[2], key)
  if not known then
    known = '1\n' .. cause
  else
    local count, list = string.match(known, '^(%d+)\n(.*)$')
    count = tonumber(count) + 1
    if count <= kept then list = list .. '\n' .. cause end
    known = count .. '\n' .. list
  end
  redis.call('HSET', KEYS[2], key, known)
end
redis.call('DEL', KEYS[4])
redis.call('LPUSH', KEYS[4], '1')
return redis.call('ZCARD', KEYS[1])
