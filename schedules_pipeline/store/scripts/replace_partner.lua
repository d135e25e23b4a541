-- Puts a partner's record in the place of the one that it was made from, unless somebody else has done so.
-- KEYS  1 partners (hash)
-- ARGV  1 the partner's name  2 the record as it was read ("" = none, or removed)  3 the new record (JSON)
-- Reply: 1, or 0 where the record is another by now
local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
-- Our own record: the reply was lost and the call sent again, so the answer is that of the first time.
if known == ARGV[3] then return 1 end
if known ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
