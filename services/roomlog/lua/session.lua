-- One session record, changed only by whoever knows its generation.
--
-- KEYS  1 hash: sid, namespace, room, name, user (absent in open mode), since, owner, generation, quit ("1" once its quit is to be announced)
-- ARGV  1 "save": 2 generation, 3 time to live in ms, 4... fields and values. Returns 1, or 0 when the stored generation is higher: then it is only
--         kept alive.
--         "claim": 2 generation, 3 time to live in ms, 4 owner. Returns the new generation, negative when its quit was to be announced,
--           or 0.
--         "quit": 2 generation. Returns 1 for the first of this generation, else 0.
--         "drop": 2 generation. Deletes it; returns 1 when its quit was not announced before, else 0.

local key, action, generation = KEYS[1], ARGV[1], tonumber(ARGV[2])
local found = redis.call('HMGET', key, 'generation', 'quit')
local stored = tonumber(found[1])

if action == 'save' then
  local isCurrent = not stored or stored <= generation
  if isCurrent then redis.call('HSET', key, 'generation', generation, unpack(ARGV, 4)) end
  redis.call('PEXPIRE', key, ARGV[3])
  return isCurrent and 1 or 0
end

if stored ~= generation then return 0 end
if action == 'claim' then
  redis.call('HSET', key, 'generation', generation + 1, 'owner', ARGV[4])
  redis.call('HDEL', key, 'quit')
  redis.call('PEXPIRE', key, ARGV[3])
  return found[2] and -generation - 1 or generation + 1
end
if action == 'quit' then
  return redis.call('HSETNX', key, 'quit', '1')
end
redis.call('DEL', key)
return found[2] and 0 or 1
