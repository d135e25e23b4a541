-- Acquires a lease, or renews it for its holder.
-- KEYS  1 lease (string)
-- ARGV  1 holder  2 milliseconds
-- Reply: 1, or 0 if another one holds it
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
