-- Reads a page of one room's log together with its head, as of one moment.
--
-- KEYS  1 meta    2 stream    (see append.lua)
-- ARGV  1 "after", "before" or "latest"    2 the number for the first two    3 limit; 0 reads the head alone
--       4 milliseconds for which the numbers are kept from now on, or 0 to leave their time as it is
-- Returns {} for a room without a log, else {epoch, seq, ends, first, then seq and payload of each entry in order}.

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'ends', 'from', 'before')
if not meta[1] then return {} end
local keepMs = tonumber(ARGV[4])
if keepMs > 0 and redis.call('PTTL', KEYS[1]) < keepMs / 2 then redis.call('PEXPIRE', KEYS[1], keepMs) end

local function seqOf(entry) return tonumber(string.match(entry[1], '^(%d+)')) end
local function number(n) return string.format('%.0f', n) end

local seq = tonumber(meta[2])
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local first = number(oldest and seqOf(oldest) or seq + 1)
if first == meta[5] then first = meta[4] end
local page = { meta[1], meta[2], meta[3] or '', first }

local limit = tonumber(ARGV[3])
if limit == 0 then return page end
local entries
if ARGV[1] == 'after' then
  entries = redis.call('XRANGE', KEYS[2], '(' .. ARGV[2] .. '-0', '+', 'COUNT', limit)
else
  local from = ARGV[1] == 'before' and '(' .. ARGV[2] .. '-0' or '+'
  local newest = redis.call('XREVRANGE', KEYS[2], from, '-', 'COUNT', limit)
  entries = {}
  for i = #newest, 1, -1 do entries[#entries + 1] = newest[i] end
end
for _, entry in ipairs(entries) do
  page[#page + 1] = number(seqOf(entry))
  page[#page + 1] = entry[2][2]
end
return page
