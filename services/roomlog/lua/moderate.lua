-- Does to one room what a moderator wants, and appends the message that tells its members: one call, one slot. append.lua stands before
-- it, as the function `append(KEYS, ARGV)`.
--
-- KEYS  1 and 2 as append.lua
--       3 bans       hash: user -> "<until in ms, 0 for none> <since> <reason>"
--       4 removals   sorted set: users by the number of the entry that told of their last removal
-- ARGV  those of append.lua for one message, then
--       1 "kick", "ban", "delete" or "clear"
--       2 user, or the epoch with which an entry was read that is to be deleted    3 a ban's value, or that entry's number
--       4 bans at most    5 removals kept
-- Returns what append.lua returns; {0, 0} for a log that is not there, or of another epoch; {-1, 0} when there are too many bans.

local function number(n) return string.format('%.0f', n) end

local removalsKept, bansMax = tonumber(table.remove(ARGV)), tonumber(table.remove(ARGV))
local value, subject, act = table.remove(ARGV), table.remove(ARGV), table.remove(ARGV)
local META, STREAM, BANS, REMOVALS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local historyTtl = tonumber(ARGV[5])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local meta = redis.call('HMGET', META, 'epoch', 'seq', 'from', 'before')

local function oldest()
  local entry = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
  return entry and tonumber(string.match(entry[1], '^(%d+)'))
end

local function untilOf(ban) return tonumber(string.match(ban, '^(%d+)')) end

local function remove(user, seq)
  redis.call('ZADD', REMOVALS, 'GT', seq, user)
  redis.call('ZREMRANGEBYRANK', REMOVALS, 0, -removalsKept - 1)
  redis.call('PEXPIRE', REMOVALS, 2 * historyTtl)
end

if act == 'kick' then
  if not meta[1] then return { 0, 0 } end
  local reply = append(KEYS, ARGV)
  remove(subject, reply[3])
  return reply
end

if act == 'ban' then
  if redis.call('HEXISTS', BANS, subject) == 0 and redis.call('HLEN', BANS) >= bansMax then
    local all = redis.call('HGETALL', BANS)
    for i = 1, #all, 2 do
      local ends = untilOf(all[i + 1])
      if ends > 0 and ends <= now then redis.call('HDEL', BANS, all[i]) end
    end
    if redis.call('HLEN', BANS) >= bansMax then return { -1, 0 } end
  end
  -- The hash lives as long as its longest ban.
  local ttl, ends = redis.call('PTTL', BANS), untilOf(value)
  redis.call('HSET', BANS, subject, value)
  if ends == 0 then
    redis.call('PERSIST', BANS)
  elseif ttl ~= -1 then
    redis.call('PEXPIRE', BANS, math.max(ttl, ends - now, 1))
  end
  local reply = append(KEYS, ARGV)
  remove(subject, reply[3])
  return reply
end

-- What is whole stays whole: numbers that leave the log's beginning by this are remembered as deleted, for as long as the entry after
-- them is the oldest.
local first = oldest()
local from = first or tonumber(meta[2] or '0') + 1
if meta[4] and tonumber(meta[4]) == first then from = tonumber(meta[3]) end

if act == 'delete' then
  if meta[1] ~= subject then return { 0, 0 } end
  redis.call('XDEL', STREAM, value .. '-0')
  local next = oldest()
  local reply = append(KEYS, ARGV)
  if next ~= first then
    redis.call('HSET', META, 'from', number(from), 'before', next and number(next) or reply[3])
  end
  return reply
end

if not meta[1] then return { 0, 0 } end
local reply = append(KEYS, ARGV)
redis.call('XTRIM', STREAM, 'MINID', '=', reply[3] .. '-0')
redis.call('HSET', META, 'from', number(from), 'before', reply[3])
return reply
