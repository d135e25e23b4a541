-- Replaces a replaced version by its delta against its successor, if both are stored as they were read.
-- KEYS  1 versions (list)  2 document (string): the successor of the newest replaced version
-- ARGV  1 SHA-1 of the version as it is stored  2 SHA-1 of its successor as it is stored  3 the delta
-- Reply: 1, or 0 if one of them has moved or changed
local versions = redis.call('LRANGE', KEYS[1], 0, -1)
for place, version in ipairs(versions) do
  if redis.sha1hex(version) == ARGV[1] then
    local successor = versions[place - 1] or redis.call('GET', KEYS[2])
    if not successor or redis.sha1hex(successor) ~= ARGV[2] then return 0 end
    redis.call('LSET', KEYS[1], place - 1, ARGV[3])
    return 1
  end
end
return 0
