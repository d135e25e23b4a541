-- Appends rows to the change feed, each at most once and in order of each schedule. At most 1,000 at once.
-- KEYS  1 changes (stream)  2 heads (hash)
-- ARGV  triples: schedule key, sequence number, row (JSON that begins with {"seq":<number>)
local last = {}
local appended = 0
for i = 1, #ARGV, 3 do
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
return appended
