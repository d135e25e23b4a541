-- Deletes the copy of an item, or the record of its absence, if nothing depends on the item and no propagation is
-- pending. Checks the dependants in the same step: a build that has registered finds the copy or inserts one.
-- The version token stays as long as a worker may still store something that it read earlier.
-- KEYS  1 copy (string)  2 version token (hash)  3 dependants (zset)
-- ARGV  1 seconds for which an idle version token is kept
-- Reply: copies deleted, records of absence deleted
if redis.call('EXISTS', KEYS[3]) == 1 or redis.call('HEXISTS', KEYS[2], 'owed') == 1 then return {0, 0} end
local copies, notes = redis.call('DEL', KEYS[1]), redis.call('HDEL', KEYS[2], 'missed')
if copies + notes > 0 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return {copies, notes}
