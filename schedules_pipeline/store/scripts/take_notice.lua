-- Hands out a notice that is to be delivered over one channel, for as long as a lease lasts.
-- KEYS  1 outbox (zset)  2 notices (hash)  3 attempts (zset: until when nobody else gets a delivery)
-- ARGV  1 channel  2 now  3 end of the lease
-- A delivery is "<channel>\n<alarm>\n<notice id>". Of one alarm only the first may go, so that an all-clear never
-- overtakes its alarm. Of several alarms one goes that was not tried yet, or else was tried longest ago: one that
-- cannot be delivered holds up no other.
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
