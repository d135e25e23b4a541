-- Deletes the copy of an item, or the record of its absence, after the external index showed no dependants.
-- Does nothing if a token was taken since: a build that registered in between may rely on either.
-- The version token stays as long as a worker may still store something that it read earlier.
-- KEYS  1 copy (string)  2 version token (hash)
-- ARGV  1 latest token before the index was read, 0 for none  2 seconds for which an idle version token is kept
-- Reply: copies deleted, records of absence deleted
if (redis.call('HGET', KEYS[2], 'token') or '0') ~= ARGV[1] then return {0, 0} end
if redis.call('HEXISTS', KEYS[2], 'owed') == 1 then return {0, 0} end
local copies, notes = redis.call('DEL', KEYS[1]), redis.call('HDEL', KEYS[2], 'missed')
if copies + notes > 0 then redis.call('EXPIRE', KEYS[2], ARGV[2]) end
return {copies, notes}
