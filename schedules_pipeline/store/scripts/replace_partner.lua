-- Replaces a partner's record, if it is still the one that was read.
-- KEYS  1 partners (hash)
-- ARGV  1 the partner's name  2 the record that was read ("" = none, or removed)  3 the new record (JSON)
-- Reply: 1, or 0 if the record has changed
local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
-- A repeated call, whose first reply was lost.
if known == ARGV[3] then return 1 end
if known ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
