-- Appends rows to the change feed, each at most once and in order of each schedule. At most 1,000 at once.
-- If the feed then has more rows than it may keep, deletes at most 1,000 of the oldest, and stores up to which.
-- KEYS  1 changes (stream)  2 heads (hash)  3 trimmed (string)
-- ARGV  1 rows that the feed may keep
--       2... triples: schedule key, sequence number, row (JSON that begins with {"seq":<number>)
local last = {}
local appended = 0
for i = 2, #ARGV, 3 do
  local key, seq, row = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  if not last[key] then
    local head = redis.call('HGET', KEYS[2], key)
    last[key] = head and tonumber(string.match(head, '^{"seq":(%d+)')) or 0
  end
  if seq > last[key] then
    redis.call('XADD', KEYS[1], '*', 'row', row)
    redis.call('HSET', KEYS[2], key, row)
    last[key] = seq
    appended = appended + 1
  end
end
local excess = math.min(redis.call('XLEN', KEYS[1]) - tonumber(ARGV[1]), 1000)
if excess > 0 then
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', excess + 1)
  redis.call('SET', KEYS[3], oldest[excess][1])
  redis.call('XTRIM', KEYS[1], 'MINID', oldest[excess + 1][1])
end
return appended
