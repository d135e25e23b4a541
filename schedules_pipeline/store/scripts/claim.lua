-- Claims pending schedules under a new token and a lease.
-- KEYS  1 dirty (zset)  2 causes (hash)  3 waiting (zset)  4 leases (zset)  5 tokens (hash)
--       6 claimed causes (hash)  7 attempts (hash)  8 token (counter)
-- ARGV  1 now  2 end of the lease  3 limit  4 causes kept per schedule
--       5 attempts from which on a schedule is claimed alone  6 cause of an exact claim, as stored ("" = none)
--       7 longest wait for a next attempt, in seconds
--       8... exactly these schedules, even if another worker has claimed them
-- At most 1,000 schedules at once, because Lua unpacks only a few thousand values.
-- Reply: the token, then triples: schedule key, causes, attempts; only "0" if there was nothing to claim
local now, lease_end, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local kept, alone = tonumber(ARGV[4]), tonumber(ARGV[5])
local exact_cause = ARGV[6] ~= '' and ARGV[6] or nil

-- include merge_causes

-- Corrects times that a wrong clock has set: no schedule waits longer than the longest pause, and no lease ends later.
local latest = tonumber(now) + tonumber(ARGV[7])
local function bring_back(zset, to)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', zset, '(' .. latest, '+inf', 'LIMIT', 0, 1000)) do
    redis.call('ZADD', zset, to, key)
  end
end
bring_back(KEYS[4], lease_end)
bring_back(KEYS[3], latest)

-- A lease that ended long ago shows a long outage or a wrong clock, so it does not count as a failed attempt.
local long_ago = tonumber(now) - tonumber(ARGV[7])
local ended = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000)
for i = 1, #ended, 2 do
  local key = ended[i]
  local causes = merge_causes(redis.call('HGET', KEYS[6], key), redis.call('HGET', KEYS[2], key), kept)
  redis.call('ZADD', KEYS[1], 'LT', now, key)
  if causes then redis.call('HSET', KEYS[2], key, causes) end
  redis.call('ZREM', KEYS[4], key)
  redis.call('HDEL', KEYS[5], key)
  redis.call('HDEL', KEYS[6], key)
  if tonumber(ended[i + 1]) >= long_ago then redis.call('HINCRBY', KEYS[7], key, 1) end
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 1000)) do
  redis.call('ZADD', KEYS[1], 'LT', now, key)
  redis.call('ZREM', KEYS[3], key)
end

-- The values of many hash fields; false for a missing field.
local function fields(hash, keys)
  if #keys == 0 then return {} end
  return redis.call('HMGET', hash, unpack(keys))
end

local chosen = {}
if #ARGV > 7 then
  for i = 8, #ARGV do chosen[#chosen + 1] = ARGV[i] end
else
  local candidates = redis.call('ZRANGE', KEYS[1], 0, limit + redis.call('ZCARD', KEYS[4]) - 1)
  local held, attempts = fields(KEYS[5], candidates), fields(KEYS[7], candidates)
  for i, key in ipairs(candidates) do
    if #chosen >= limit then break end
    if not held[i] then
      local risky = tonumber(attempts[i] or '0') >= alone
      if risky and #chosen == 0 then
        chosen[1] = key
        break
      elseif not risky then
        chosen[#chosen + 1] = key
      end
    end
  end
end
if #chosen == 0 then return {'0'} end

local token = redis.call('INCR', KEYS[8])
local older, newer, attempts = fields(KEYS[6], chosen), fields(KEYS[2], chosen), fields(KEYS[7], chosen)
local reply, leases, tokens, causes = {tostring(token)}, {}, {}, {}
for i, key in ipairs(chosen) do
  local why = merge_causes(merge_causes(older[i], newer[i], kept), exact_cause, kept) or '0\n'
  leases[2 * i - 1], leases[2 * i] = lease_end, key
  tokens[2 * i - 1], tokens[2 * i] = key, token
  causes[2 * i - 1], causes[2 * i] = key, why
  reply[3 * i - 1], reply[3 * i], reply[3 * i + 1] = key, why, attempts[i] or '0'
end
redis.call('ZREM', KEYS[1], unpack(chosen))
redis.call('ZREM', KEYS[3], unpack(chosen))
redis.call('HDEL', KEYS[2], unpack(chosen))
redis.call('ZADD', KEYS[4], unpack(leases))
redis.call('HSET', KEYS[5], unpack(tokens))
redis.call('HSET', KEYS[6], unpack(causes))
return reply
