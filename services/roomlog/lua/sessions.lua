-- Saves sessions of one owner: one call, which costs the caller as much as a call for one session. Not for a cluster, where each session is
-- in a slot of its own. The text of session.lua comes before this one, as the function `session(KEYS, ARGV)`: see there.
--
-- KEYS  1 sorted set: ids of the owner's sessions by the time until which they may be there    2... a hash for each session
-- ARGV  1 that time in ms    2 time to live in ms
--       then for each session: id, generation, number of fields, and for each field its name and its value

local at = 2
for i = 2, #KEYS do
  local pid, generation, count = ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  redis.call('ZADD', KEYS[1], ARGV[1], pid)
  session({ KEYS[i] }, { 'save', generation, ARGV[2], unpack(ARGV, at + 4, at + 3 + 2 * count) })
  at = at + 3 + 2 * count
end
return redis.status_reply('OK')
