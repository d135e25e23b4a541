-- Deletes heads of the change feed that are still the removals that were read.
-- KEYS  1 heads (hash)
-- ARGV  1... pairs: schedule key, sequence number
for i = 1, #ARGV, 2 do
  local row = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  if string.match(row, '^{"seq":(%d+),"key":"[^"]*","etag":""') == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return 'OK'
