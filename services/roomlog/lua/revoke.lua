-- Users whose connections were ended.
--
-- KEYS  1 sorted set: users by the time at which that was, in ms    2 hash: user -> "<tokens before, ms> <reason>"
-- ARGV  1 time to live of an entry in ms
--       2 "add": 3 user, 4 "1" when tokens are revoked, 5 reason, 6 users at most, 7 channel.
--         Returns {at, value}; {} when there are too many users.
--         "list". Returns each user with its time and its value, oldest first, also some whose time is over.

local USERS, VALUES, ttl = KEYS[1], KEYS[2], tonumber(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function number(n) return string.format('%.0f', n) end

if ARGV[2] == 'list' then
  local found = redis.call('ZRANGE', USERS, 0, -1, 'WITHSCORES')
  local listed = {}
  for i = 1, #found, 2 do
    listed[#listed + 1] = found[i]
    listed[#listed + 1] = found[i + 1]
    listed[#listed + 1] = redis.call('HGET', VALUES, found[i]) or '0 '
  end
  return listed
end

local user, isRevoking, reason, max, channel = ARGV[3], ARGV[4] == '1', ARGV[5], tonumber(ARGV[6]), ARGV[7]
for _, over in ipairs(redis.call('ZRANGEBYSCORE', USERS, '-inf', number(now - ttl))) do
  redis.call('ZREM', USERS, over)
  redis.call('HDEL', VALUES, over)
end
local earlier = redis.call('HGET', VALUES, user)
if not earlier and redis.call('ZCARD', USERS) >= max then return {} end
local tokensBefore = isRevoking and number(now) or earlier and string.match(earlier, '^(%d+)') or '0'
local value = tokensBefore .. ' ' .. reason
redis.call('ZADD', USERS, number(now), user)
redis.call('HSET', VALUES, user, value)
redis.call('PEXPIRE', USERS, ttl)
redis.call('PEXPIRE', VALUES, ttl)
redis.call('SPUBLISH', channel, number(now) .. ' ' .. value .. '\n' .. user)
return { number(now), value }
