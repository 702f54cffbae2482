-- Appends batches to several rooms' logs: one call, which costs the caller as much as a call for one room. On a cluster all rooms have to be
-- of one slot. The text of append.lua comes before this one, as the function `append(KEYS, ARGV)`: see there for what is not told here.
--
-- KEYS  for each room: meta, stream
-- ARGV  1 epoch to use if one begins here    2 historySize    3 historyTtlMs    4 half key window, ms    5 half producerTtlMs
--       6 ended epochs kept
--       then for each room: prefix of the key hashes, channel, producer id or "", its number of the first message, prefix of the producer
--       hashes, traced messages, number of messages, and for each message its key or "" and its payload
-- Returns for each room what append.lua returns, or the text of the error for which it failed: the other rooms do not hear of it.

local replies, at = {}, 6
for room = 1, #KEYS / 2 do
  local count = tonumber(ARGV[at + 7])
  local args = {
    ARGV[at + 1], ARGV[at + 2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5],
    ARGV[at + 6],
  }
  for i = 1, 2 * count do args[12 + i] = ARGV[at + 7 + i] end
  local isDone, reply = pcall(append, { KEYS[2 * room - 1], KEYS[2 * room] }, args)
  if not isDone then reply = type(reply) == 'table' and reply.err or tostring(reply) end
  replies[room] = reply
  at = at + 7 + 2 * count
end
return replies
