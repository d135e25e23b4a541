-- Puts schedules whose build failed back for a retry, or into quarantine; skips those that were claimed again since.
-- KEYS  1 leases (zset)  2 tokens (hash)  3 claimed causes (hash)  4 attempts (hash)  5 quarantined (hash)
--       6 waiting (zset)  7 causes (hash)  8 dirty (zset)
-- ARGV  1 token  2 what to add to the attempts  3 causes kept per schedule, then triples: schedule key,
--       retry time ("" = quarantine), reason
-- A schedule that was marked during the build stays pending, because the news may repair it. A quarantined schedule
-- loses its attempts, so that an operator's request begins with new ones.
local kept = tonumber(ARGV[3])

-- include merge_causes

for i = 4, #ARGV, 3 do
  local key, retry_at, reason = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', KEYS[2], key) == ARGV[1] then
    local causes = redis.call('HGET', KEYS[3], key)
    redis.call('ZREM', KEYS[1], key)
    redis.call('HDEL', KEYS[2], key)
    redis.call('HDEL', KEYS[3], key)
    redis.call('HINCRBY', KEYS[4], key, ARGV[2])
    if retry_at == '' then
      redis.call('HSET', KEYS[5], key, reason)
      redis.call('HDEL', KEYS[4], key)
    else
      if not redis.call('ZSCORE', KEYS[8], key) then redis.call('ZADD', KEYS[6], retry_at, key) end
      local merged = merge_causes(causes, redis.call('HGET', KEYS[7], key), kept)
      if merged then redis.call('HSET', KEYS[7], key, merged) end
    end
  end
end
return 'OK'
