-- Commits the result of one build, unless a newer build has committed.
-- KEYS  1 state (hash)  2 document (string)  3 outbox (zset)  4 history (list)
--       5 versions (list): documents that were replaced, newest first, each "<seq> <replaced at> whole\n" and the document
-- ARGV  1 token  2 committed token that the build read  3 seen mark
--       4 accepted source ("" = none)  5 "1" if the accepted source is new  6 ancestors
--       7 etag ("" = removed)  8 next sequence number  9 document  10 feed row
--       11 rows kept in the history, within ten  12 seconds for which replaced documents are kept
--       13 coverage of the accepted source, if that is new  14 how many replaced documents are kept
-- The next sequence number is the one that the build expected, because no other build has committed since.
-- A document that is missing although it should exist is published again.
-- Reply: outcome, sequence number, then pairs that the feed may lack: feed row, sequence number
local state = redis.call('HMGET', KEYS[1], 'token', 'etag', 'seq')
local committed, etag, seq = tonumber(state[1] or '0'), state[2] or '', state[3] or '0'
-- A repeated call, whose first reply was lost.
if committed == tonumber(ARGV[1]) then
  local outcome = seq == ARGV[8] and 'published' or 'unchanged'
  return {outcome, seq, unpack(redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES'))}
end
if committed > tonumber(ARGV[1]) then return {'superseded', seq} end
if committed ~= tonumber(ARGV[2]) then return {'moved', seq} end

local outcome = 'unchanged'
local is_there = redis.call('EXISTS', KEYS[2]) == 1
if etag ~= ARGV[7] or (ARGV[7] ~= '' and not is_there) then
  outcome, seq = 'published', ARGV[8]
  if is_there then
    local now = redis.call('TIME')[1]
    local replaced = (state[3] or '0') .. ' ' .. now .. ' whole\n' .. redis.call('GET', KEYS[2])
    redis.call('LPUSH', KEYS[5], replaced)
    redis.call('LTRIM', KEYS[5], 0, ARGV[14] - 1)
    local oldest = redis.call('LINDEX', KEYS[5], -1)
    while tonumber(string.match(oldest, ' (%d+) ')) < now - ARGV[12] do
      redis.call('RPOP', KEYS[5])
      oldest = redis.call('LINDEX', KEYS[5], -1)
    end
    redis.call('EXPIRE', KEYS[5], ARGV[12])
  end
  if ARGV[7] ~= '' then redis.call('SET', KEYS[2], ARGV[9]) else redis.call('DEL', KEYS[2]) end
  redis.call('ZADD', KEYS[3], seq, ARGV[10])
  redis.call('LPUSH', KEYS[4], ARGV[10])
  if seq % 10 == 0 then redis.call('LTRIM', KEYS[4], 0, ARGV[11] - 1) end
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'seen', ARGV[3], 'ancestors', ARGV[6], 'etag', ARGV[7], 'seq', seq)
if ARGV[5] == '1' then
  redis.call('HSET', KEYS[1], 'covered', ARGV[13])
  if ARGV[4] == '' then redis.call('HDEL', KEYS[1], 'accepted')
  else redis.call('HSET', KEYS[1], 'accepted', ARGV[4]) end
end
return {outcome, seq, unpack(redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES'))}
