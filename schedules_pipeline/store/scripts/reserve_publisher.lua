-- Announces a publisher that is about to start, unless enough are present. One that leaves does not count.
-- KEYS  1 publishers (hash)  2 publisher (string, of release 0.2)
-- ARGV  1 name of the reservation  2 seconds  3 the number of publishers that is enough
-- Reply: 1 if it was announced, else 0

-- include present_publishers

local present = present_publishers(KEYS[1])
if present[ARGV[1]] then return 1 end
local count, older = 0, redis.call('GET', KEYS[2])
for _, state in pairs(present) do
  if state ~= 'leaving' then count = count + 1 end
end
if older and not present[older] then count = count + 1 end
if count >= tonumber(ARGV[3]) then return 0 end
put_publisher(KEYS[1], ARGV[1], now, tonumber(ARGV[2]), 'starting')
redis.call('SET', KEYS[2], ARGV[1], 'NX', 'EX', ARGV[2])
return 1
