-- Deletes a copy, or the note that one is missed, after a look elsewhere has found no dependants.
-- Not where a token was taken since before that look: a build that has registered meanwhile may rely on either.
-- The fence stays for as long as somebody may be about to store what was read before.
-- KEYS  1 copy (string)  2 fence (hash)
-- ARGV  1 token that was taken last before the look, 0 for none  2 seconds for which an idle fence is kept
-- Reply: copies deleted, notes deleted
if (redis.call('HGET', KEYS[2], 'token') or '0') ~= ARGV[1] then return {0, 0} end
if redis.call('HEXISTS', KEYS[2], 'owed') == 1 then return {0, 0} end
local copies, notes = redis.call('DEL', KEYS[1]), redis.call('HDEL', KEYS[2], 'missed')
if copies + notes > 0 then redis.call('EXPIRE', KEYS[2], ARGV[2]) end
return {copies, notes}
