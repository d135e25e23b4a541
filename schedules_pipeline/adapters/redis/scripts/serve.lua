-- Enter a switch of what partners are served from, unless somebody else has switched meanwhile.
-- The first field of the hash is what is compared, so that two operators cannot cross.
--
-- KEYS  1 served   hash: number, record
--       2 switches list of records, the newest first
-- ARGV  1 the number of the state that the switch was decided on  2 the number of the new state
--       3 the new state, as JSON  4 how many switches are remembered
-- Returns 1 if it was entered, 0 if the state is another by now.
if (redis.call('HGET', KEYS[1], 'number') or '0') ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'number', ARGV[2], 'record', ARGV[3])
redis.call('LPUSH', KEYS[2], ARGV[3])
redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
return 1
