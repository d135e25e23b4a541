-- A publisher runs no more, or a reservation is given up.
-- KEYS  1 publishers (hash)  2 publisher (string, of release 0.2)
-- ARGV  1 name
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return redis.call('HDEL', KEYS[1], ARGV[1])
