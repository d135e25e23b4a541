-- Lists schedules that a coldstart must build, during its preparation. At most 1,000 at once.
-- KEYS  1 book (hash)  2 left (zset)
-- ARGV  1 id  2... pairs: place in the order, schedule key
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'stage') ~= 'preparing' then return 0 end
return redis.call('ZADD', KEYS[2], unpack(ARGV, 2))
