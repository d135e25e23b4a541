-- Records the histories of the servers, and perhaps a new epoch and a repair, unless another witness was first.
-- KEYS  1 epoch (hash)
-- ARGV  1 id of the epoch that was found  2 histories that were found ("" = none)  3 id of the epoch, unchanged or new
--       4 epochs before it  5 histories  6 repair (JSON, "" = none)
-- Reply: 1, or 0 if another epoch or other histories are recorded by now
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
if (redis.call('HGET', KEYS[1], 'servers') or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[3], 'before', ARGV[4], 'servers', ARGV[5])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'repair', ARGV[6]) end
return 1
