-- Enters a switch of what partners are served from, unless somebody else has switched meanwhile.
-- KEYS  1 served (hash)  2 switches (list)
-- ARGV  1 the number of the state that the switch was decided on  2 the number of the new state
--       3 the new state (JSON)  4 how many switches are remembered
-- Reply: 1 if it was entered, 0 if the state is another by now
local state = redis.call('HMGET', KEYS[1], 'number', 'record')
-- Our own record: the reply was lost and the call sent again, so the answer is that of the first time.
if state[1] == ARGV[2] and state[2] == ARGV[3] then return 1 end
if (state[1] or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'number', ARGV[2], 'record', ARGV[3])
redis.call('LPUSH', KEYS[2], ARGV[3])
redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
return 1
