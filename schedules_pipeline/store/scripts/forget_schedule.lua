-- Deletes a schedule that is not published, unless it has changed since it was read: by a commit, a notification, or
-- a row that the feed may lack.
-- KEYS  1 state (hash)  2 document (string)  3 outbox (zset)  4 history (list)
--       5 versions (list)
-- ARGV  1 the committed token that was read
-- Reply: 1 if it was deleted
local state = redis.call('HMGET', KEYS[1], 'token', 'etag', 'mark', 'seen')
local is_as_read = (state[1] or '0') == ARGV[1]
local is_shown = (state[2] or '') ~= ''
local must_fetch = tonumber(state[3] or '0') > tonumber(state[4] or '0')
if not is_as_read or is_shown or must_fetch or redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[4], KEYS[5])
return 1
