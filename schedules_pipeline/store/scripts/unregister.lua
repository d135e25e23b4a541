-- Removes back-references whose score is at most the token.
-- KEYS  1 dependants (zset)
-- ARGV  1 token  2... members
-- Reply: the number of removed members
local removed = 0
for i = 2, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) <= tonumber(ARGV[1]) then removed = removed + redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return removed
