-- Who owns sessions, and when each said last that it lives, by the clock of the server.
--
-- KEYS  1 sorted set: owners by the time of their last beat in ms
-- ARGV  1 "beat": 2 time to live of sessions in ms, 3 owner. Forgets owners whose sessions have all ended.
--         "list". Returns owners, each followed by the time since its last beat in ms.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if ARGV[1] == 'beat' then
  redis.call('ZADD', KEYS[1], now, ARGV[3])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
  return {}
end

local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #found, 2 do
  found[i] = tostring(now - found[i])
end
return found
