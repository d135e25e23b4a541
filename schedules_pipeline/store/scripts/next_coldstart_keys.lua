-- Returns the next schedules of a coldstart: the first of one shard, or the last of all once the shard is done.
-- They stay listed until they are built. Records that a worker is alive.
-- KEYS  1 book (hash)  2 left (zset)
-- ARGV  1 id  2 first place of the shard  3 first place after it  4 limit  5 now
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {} end
if redis.call('HGET', KEYS[1], 'stage') ~= 'building' then return {} end
redis.call('HSET', KEYS[1], 'alive_at', ARGV[5])
local keys = redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[2], '(' .. ARGV[3], 'LIMIT', 0, ARGV[4])
if #keys > 0 then return keys end
return redis.call('ZREVRANGE', KEYS[2], 0, ARGV[4] - 1)
