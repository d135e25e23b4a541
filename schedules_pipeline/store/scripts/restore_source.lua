-- Puts an accepted source in the place of what is there, and has the next build fetch the document. Supersedes earlier
-- builds, like a commit of the claim with this token.
-- KEYS  1 state (hash)
-- ARGV  1 token  2 accepted source  3 its coverage
-- Reply: 1, or 0 if this or a newer claim has committed
if tonumber(redis.call('HGET', KEYS[1], 'token') or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'accepted', ARGV[2], 'covered', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'mark', 1)
return 1
