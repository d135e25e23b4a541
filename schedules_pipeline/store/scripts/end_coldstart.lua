-- Ends a coldstart with its final stage and resumes the intake. The first finished coldstart begins the epoch.
-- KEYS  1 book (hash)  2 left (zset)  3 leader (string)  4 pause (string)  5 epoch (hash)
-- ARGV  1 id  2 stage  3 now  4 problem
-- Reply: 1, or 0 if it had ended, or is confirmed and cannot be rejected
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
if redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return 0 end
if ARGV[2] == 'refused' and redis.call('HEXISTS', KEYS[1], 'settled') == 1 then return 0 end
redis.call(
  'HSET', KEYS[1], 'stage', ARGV[2], 'ended_at', ARGV[3], 'problem', ARGV[4], 'left', redis.call('ZCARD', KEYS[2])
)
if ARGV[2] == 'finished' then redis.call('HSETNX', KEYS[5], 'id', ARGV[1]) end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
return 1
