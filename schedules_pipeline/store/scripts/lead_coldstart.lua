-- Acquires or renews the lease to prepare a coldstart, and records that a worker is alive.
-- KEYS  1 book (hash)  2 leader (string)
-- ARGV  1 id  2 worker  3 now  4 seconds of the lease
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage ~= 'requested' and stage ~= 'preparing' then return 0 end
local leader = redis.call('GET', KEYS[2])
if leader and leader ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])
redis.call('HSET', KEYS[1], 'stage', 'preparing', 'alive_at', ARGV[3])
return 1
