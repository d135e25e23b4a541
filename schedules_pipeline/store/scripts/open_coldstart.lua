-- Opens a coldstart, unless one is open.
-- KEYS  1 book (hash)  2 left (zset)  3 leader (string)
-- ARGV  1 id  2 request (JSON)
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage == 'requested' or stage == 'preparing' or stage == 'building' then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'request', ARGV[2], 'stage', 'requested')
return 1
