-- Replaces an incident by its next revision, and puts its notice into the outbox.
-- KEYS  1 episodes (hash)  2 outbox (zset)  3 notices (hash)  4 booked (string)
-- ARGV  1 alarm  2 revision ("1" for a first incident)  3 incident (JSON)  4 notice (JSON, "" = none)
--       5... deliveries: "<channel>\n<alarm>\n<notice id>"
-- An incident is stored as "<revision>\n<JSON>". The outbox is ordered by the counter "booked".
-- Reply: 1, or 0 if another watcher has stored this revision
local known = redis.call('HGET', KEYS[1], ARGV[1])
local revision = known and tonumber(string.match(known, '^(%d+)\n')) or 0
if tonumber(ARGV[2]) ~= revision + 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '\n' .. ARGV[3])
for i = 5, #ARGV do
  redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[4]), ARGV[i])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[4])
end
return 1
