-- Appends a batch of messages to one room's log, each message once, and publishes what is new: one call, one slot.
--
-- KEYS  1 meta       hash: epoch, seq (last number given), replid (of the server that gave it), ends ("epoch:seq,..." of ended epochs)
--       2 stream     entries `<seq>-0` with one field `p`, the payload
-- ARGV  1 prefix of the key hashes' names (one hash per half window: message key -> seq)
--       2 channel    3 epoch to use if one begins here    4 historySize    5 historyTtlMs    6 half key window, ms
--       7 half producerTtlMs    8 ended epochs kept    9 producer id or ""    10 its number of the first message
--       11 prefix of the producer hashes' names (one per half time: producer id -> "first last seqs" of its last batch)
--       12 traced messages: "index:traceparent,..." from 1, or ""    13... pairs: message key or "", payload
-- Returns {1, epoch, seqs, ends}: appended, now or when this batch came before; seqs is the first number if they are consecutive, else
--         a list with commas. A number that is not new was given in the epoch that the ends tell.
--         {0, last}: out of order, nothing was written.
--
-- Lua in Redis does not roll back: everything is checked before the first write.

local function number(n) return string.format('%.0f', n) end

local META, STREAM = KEYS[1], KEYS[2]
local keyPrefix, channel, newEpoch = ARGV[1], ARGV[2], ARGV[3]
local historySize, historyTtl, halfWindow = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local halfTtl, endsKept, producer, first = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local producerPrefix = ARGV[11]
local traces = ARGV[12]
local count = (#ARGV - 12) / 2
local last = (first or 0) + count - 1

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local meta = redis.call('HMGET', META, 'epoch', 'seq', 'replid', 'ends')
local epoch, seq, ends = meta[1], tonumber(meta[2] or '0'), meta[4] or ''
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or ''

-- Hashes of past half times expire whole: what is forgotten costs nothing. One ahead is looked at as well, since the clock of the
-- server before a failover may have been further on.
local producerHalf = math.floor(now / halfTtl)
if producer ~= '' and epoch then
  local known
  for back = -1, 2 do
    known = redis.call('HGET', producerPrefix .. number(producerHalf - back), producer)
    if known then break end
  end
  if known then
    local knownFirst, knownLast, knownSeqs = string.match(known, '^(%d+) (%d+) ([%d,]+)$')
    if tonumber(knownFirst) == first and tonumber(knownLast) == last then
      -- A write, so that a WAIT after it covers what the first call wrote, on whatever connection that was.
      redis.call('PEXPIRE', META, 2 * historyTtl)
      return { 1, epoch, knownSeqs, ends }
    end
    if first ~= tonumber(knownLast) + 1 then return { 0, tonumber(knownLast) } end
  end
end

-- Which messages are known by their keys: looked up in the current half window's hash, the two before it, and the next.
local half = math.floor(now / halfWindow)
local known, asked, askedAt = {}, {}, {}
for i = 1, count do
  local key = ARGV[11 + 2 * i]
  if key ~= '' then
    asked[#asked + 1] = key
    askedAt[#askedAt + 1] = i
  end
end
if #asked > 0 and epoch then
  for back = -1, 2 do
    local found = redis.call('HMGET', keyPrefix .. number(half - back), unpack(asked))
    for j = 1, #asked do
      if found[j] then known[askedAt[j]] = tonumber(found[j]) end
    end
  end
end

-- From here on there are writes.
if not epoch then
  -- Without its numbers (never written, expired, evicted) whatever else is left of the room is of no use.
  redis.call('DEL', STREAM)
  for back = -1, 2 do
    redis.call('DEL', keyPrefix .. number(half - back), producerPrefix .. number(producerHalf - back))
  end
  epoch = newEpoch
elseif meta[3] ~= replid then
  -- Another server, or a restarted one: its copy may lack the tail, so numbers after `seq` may have been given before.
  ends = ends .. epoch .. ':' .. number(seq) .. ','
  local _, kept = string.gsub(ends, ',', '')
  while kept > endsKept do
    ends = string.gsub(ends, '^[^,]*,', '', 1)
    kept = kept - 1
  end
  epoch = newEpoch
end

local base, new, fresh, inBatch, seqs, isConsecutive = seq, {}, {}, {}, {}, true
local isNew = {}
for i = 1, count do
  local key, payload = ARGV[11 + 2 * i], ARGV[12 + 2 * i]
  local at = known[i] or (key ~= '' and inBatch[key]) or nil
  if not at then
    seq = seq + 1
    at = seq
    redis.call('XADD', STREAM, 'MAXLEN', '~', historySize, number(seq) .. '-0', 'p', payload)
    new[#new + 1] = payload
    isNew[i] = true
    if key ~= '' then
      inBatch[key] = seq
      fresh[#fresh + 1] = key
      fresh[#fresh + 1] = number(seq)
    end
  end
  if at ~= base + i then isConsecutive = false end
  seqs[i] = number(at)
end
local answer = isConsecutive and seqs[1] or table.concat(seqs, ',')

redis.call('HSET', META, 'epoch', epoch, 'seq', number(seq), 'replid', replid, 'ends', ends)
redis.call('PEXPIRE', META, 2 * historyTtl)
redis.call('PEXPIRE', STREAM, historyTtl)
if #fresh > 0 then
  local hash = keyPrefix .. number(half)
  redis.call('HSET', hash, unpack(fresh))
  redis.call('PEXPIRE', hash, 3 * halfWindow)
end
if producer ~= '' then
  local hash = producerPrefix .. number(producerHalf)
  redis.call('HSET', hash, producer, number(first) .. ' ' .. number(last) .. ' ' .. answer)
  redis.call('PEXPIRE', hash, 3 * halfTtl)
end
if #new > 0 then
  local header = '{"v":1,"epoch":"' .. epoch .. '","first":' .. number(base + 1) .. ',"at":' .. number(now)
  if traces ~= '' then
    local published = {}
    for i, trace in string.gmatch(traces, '(%d+):([%w-]+)') do
      if isNew[tonumber(i)] then published[#published + 1] = seqs[tonumber(i)] .. ':' .. trace end
    end
    if #published > 0 then header = header .. ',"traces":"' .. table.concat(published, ',') .. '"' end
  end
  redis.call('SPUBLISH', channel, header .. '}\n' .. table.concat(new, '\n'))
end
return { 1, epoch, answer, ends }
