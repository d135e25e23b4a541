-- Records a repair that is done, unless another repair has become necessary during it.
-- KEYS  1 epoch (hash)
-- ARGV  1 id of the repair  2 the repair with its result (JSON)
-- Reply: 1, or 0 if another repair is pending
local pending = redis.call('HGET', KEYS[1], 'repair')
if not pending or not string.find(pending, ARGV[1], 1, true) then return 0 end
redis.call('HSET', KEYS[1], 'repaired', ARGV[2])
redis.call('HDEL', KEYS[1], 'repair')
return 1
