-- Removes built schedules from the list of a coldstart and adds to its counts. At most 1,000 at once.
-- KEYS  1 book (hash)  2 left (zset)
-- ARGV  1 id  2 number of published schedules  3 number that could not be fetched  4... schedule keys
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], 'published', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'failed', ARGV[3])
return redis.call('ZREM', KEYS[2], unpack(ARGV, 4))
