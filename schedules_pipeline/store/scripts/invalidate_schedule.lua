-- Marks the published state of a schedule as unknown, so that the next commit publishes its result under a sequence
-- number above the given one. Supersedes earlier builds, like a commit of the claim with this token.
-- KEYS  1 state (hash)
-- ARGV  1 token  2 sequence number
-- Reply: 1, or 0 if a newer claim has committed
local state = redis.call('HMGET', KEYS[1], 'token', 'seq')
if tonumber(state[1] or '0') >= tonumber(ARGV[1]) then return 0 end
local seq = math.max(tonumber(state[2] or '0'), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'etag', '?', 'seq', seq)
return 1
