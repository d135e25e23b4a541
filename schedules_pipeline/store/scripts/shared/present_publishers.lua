-- The time, and the publishers that are present: name and state of each. Deletes the others. The hash outlives its
-- publishers by an hour at most.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local function present_publishers(hash)
  local present = {}
  local fields = redis.call('HGETALL', hash)
  for i = 1, #fields, 2 do
    local ends, state = string.match(fields[i + 1], '^%d+ (%d+) (%a+)$')
    if ends and tonumber(ends) > now then present[fields[i]] = state else redis.call('HDEL', hash, fields[i]) end
  end
  return present
end
local function put_publisher(hash, name, joined, seconds, state)
  redis.call('HSET', hash, name, string.format('%.0f %.0f %s', joined, now + seconds * 1000, state))
  redis.call('EXPIRE', hash, seconds + 3600)
end
