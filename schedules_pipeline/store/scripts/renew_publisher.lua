-- A publisher runs, or leaves as soon as another one runs. Its reservation ends.
-- KEYS  1 publishers (hash)  2 publisher (string, of release 0.2)
-- ARGV  1 name  2 seconds  3 state  4 reservation ("" = none)

-- include present_publishers

local present = present_publishers(KEYS[1])
local joined = present[ARGV[1]] and string.match(redis.call('HGET', KEYS[1], ARGV[1]), '^%d+') or now
put_publisher(KEYS[1], ARGV[1], tonumber(joined), tonumber(ARGV[2]), ARGV[3])
if ARGV[4] ~= '' then redis.call('HDEL', KEYS[1], ARGV[4]) end
if ARGV[3] == 'running' then
  redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
elseif redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
return 1
