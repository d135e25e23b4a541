-- Says that nothing is known of what partners see of a schedule, so that the next commit publishes whatever it
-- is, under a number above the one given. A step of the claim whose token is given, like a commit: builds that
-- began earlier are superseded, and one that has read the state before builds again.
-- KEYS  1 state (hash)
-- ARGV  1 token  2 sequence number
-- Reply: 1 if it was done
local state = redis.call('HMGET', KEYS[1], 'token', 'seq')
if tonumber(state[1] or '0') >= tonumber(ARGV[1]) then return 0 end
local seq = math.max(tonumber(state[2] or '0'), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'etag', '?', 'seq', seq)
return 1
