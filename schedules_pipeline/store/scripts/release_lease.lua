-- Ends a lease, unless it has ended and another one holds it by now.
-- KEYS  1 lease (string)
-- ARGV  1 holder
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
