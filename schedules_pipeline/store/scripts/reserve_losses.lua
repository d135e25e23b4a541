-- Reserves losses of airtime in the budget of the last hour, all that fit and none that does not.
-- KEYS  1 ledger (hash)  2 replaced (hash)  3 event (string)
-- ARGV  1 now  2 seconds of the budget's window  3 limit of the whole  4 seconds for which an entry is kept
--       5 id of a new hold  6... six for each loss: schedule key, service, limit of the service, seconds, loss, replaced source
-- The ledger holds by schedule: digest, seconds and time (JSON, the loss as its reader stores it, and these three).
-- Reply: the id of the hold ("" = none), then the schedules that do not fit
local now, window, whole_limit, kept_for = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local entries, whole, of_service = {}, 0, {}
local function add(service, seconds)
  whole = whole + seconds
  of_service[service] = (of_service[service] or 0) + seconds
end
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local key, entry = flat[i], cjson.decode(flat[i + 1])
  if entry.at < now - kept_for then
    redis.call('HDEL', KEYS[1], key)
    redis.call('HDEL', KEYS[2], key)
  else
    entries[key] = entry
    if entry.at > now - window then add(string.match(key, '^[^/]+'), entry.seconds) end
  end
end

-- A loss that was reserved already is in the sums: the worker died before it committed, or builds it again.
local wanted = {}
for i = 6, #ARGV, 6 do
  local key, service, seconds, loss = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 3]), cjson.decode(ARGV[i + 4])
  local entry = entries[key]
  local is_recent = entry and entry.at > now - window
  if not (is_recent and entry.digest == loss.digest) then
    wanted[#wanted + 1] = {key = key, service = service, limit = tonumber(ARGV[i + 2]), loss = ARGV[i + 4],
                           source = ARGV[i + 5], is_recent = is_recent,
                           total = seconds + (is_recent and entry.seconds or 0)}
    add(service, seconds)
  end
end

local reply = {''}
for _, each in ipairs(wanted) do
  if whole > whole_limit or of_service[each.service] > each.limit then
    reply[#reply + 1] = each.key
  else
    local loss = cjson.decode(each.loss)
    loss.seconds = each.total
    redis.call('HSET', KEYS[1], each.key, cjson.encode(loss))
    -- Several losses of one hour are restored from the source before the first of them.
    redis.call(each.is_recent and 'HSETNX' or 'HSET', KEYS[2], each.key, each.source)
  end
end
if #reply > 1 then
  local id, at = string.match(redis.call('GET', KEYS[3]) or '', '^(.-) (.+)$')
  if not id or tonumber(at) <= now - window then id = ARGV[5] end
  redis.call('SET', KEYS[3], id .. ' ' .. ARGV[1])
  reply[1] = id
end
return reply
