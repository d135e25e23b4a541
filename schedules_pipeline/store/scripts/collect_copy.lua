-- Deletes a copy, or the note that one is missed, where nothing depends on the item and nothing is owed.
-- In one step with the look at the dependants: a build that has registered finds the copy, or plants one.
-- The fence stays for as long as somebody may be about to store what was read before.
-- KEYS  1 copy (string)  2 fence (hash)  3 dependants (zset)
-- ARGV  1 seconds for which an idle fence is kept
-- Reply: copies deleted, notes deleted
if redis.call('EXISTS', KEYS[3]) == 1 or redis.call('HEXISTS', KEYS[2], 'owed') == 1 then return {0, 0} end
local copies, notes = redis.call('DEL', KEYS[1]), redis.call('HDEL', KEYS[2], 'missed')
if copies + notes > 0 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return {copies, notes}
