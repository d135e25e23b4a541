-- Restores the record of all switches, unless another switch came first.
-- KEYS  1 served (hash)  2 switches (list)
-- ARGV  1 the number of the state that was read  2 the number of the latest switch
--       3... the switches (JSON), newest first
-- Reply: 1, or 0 if the state has changed
local state = redis.call('HMGET', KEYS[1], 'number', 'record')
-- A repeated call, whose first reply was lost.
if state[1] == ARGV[2] and state[2] == ARGV[3] then return 1 end
if (state[1] or '0') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
for i = #ARGV, 3, -1 do redis.call('LPUSH', KEYS[2], ARGV[i]) end
redis.call('HSET', KEYS[1], 'number', ARGV[2], 'record', ARGV[3])
return 1
