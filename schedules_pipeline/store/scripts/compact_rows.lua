-- Replaces the oldest rows of a history by one element that holds them all, if they are as they were read.
-- KEYS  1 history (list)
-- ARGV  1 number of the oldest elements  2 SHA-1 of these elements, joined  3 the new element
-- Reply: 1, or 0 if they have changed
local rows = redis.call('LRANGE', KEYS[1], -ARGV[1], -1)
if redis.sha1hex(table.concat(rows)) ~= ARGV[2] then return 0 end
redis.call('LTRIM', KEYS[1], 0, -ARGV[1] - 1)
redis.call('RPUSH', KEYS[1], ARGV[3])
return 1
