-- Leases a notice for delivery over one channel.
-- KEYS  1 outbox (zset)  2 notices (hash)  3 attempts (zset: end of the lease of each delivery)
-- ARGV  1 channel  2 now  3 end of the lease
-- A delivery is "<channel>\n<alarm>\n<notice id>". Only the first delivery of each alarm is eligible, so that an
-- all-clear never overtakes its alarm. Among alarms, untried deliveries go first, then the one that was tried longest
-- ago, so that a failing delivery does not block others.
-- Reply: the notice, or nil
local now = tonumber(ARGV[2])
local seen, chosen, earliest = {}, false, nil
for _, delivery in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local channel, alarm = string.match(delivery, '^([^\n]*)\n([^\n]*)\n')
  if channel == ARGV[1] and not seen[alarm] then
    seen[alarm] = true
    local ends = tonumber(redis.call('ZSCORE', KEYS[3], delivery) or '0')
    if ends <= now and (not chosen or ends < earliest) then chosen, earliest = delivery, ends end
  end
end
if not chosen then return false end
redis.call('ZADD', KEYS[3], ARGV[3], chosen)
return redis.call('HGET', KEYS[2], chosen)
