import { COMMON } from './redis-common.ts'

/** ARGV: id, holder. */
const free = `
local de = base .. 'de:' .. ARGV[1]
local holder = call('GET', de)
if holder == ARGV[2] then
  if not over(de, holder) then return 0 end
  call('DEL', de)
end
return 1
`

/** ARGV: uid, token, note or '', id or '', ms. */
const note = `
local job = base .. ARGV[1]
if call('GET', job .. ':lock') ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' then call('HSET', job, 'jobport', ARGV[3]) end
if ARGV[4] ~= '' and call('GET', base .. 'de:' .. ARGV[4]) == ARGV[1] then call('PEXPIRE', base .. 'de:' .. ARGV[4], ARGV[5]) end
return 1
`

/** ARGV: uid, token, id or ''. */
const recall = `
local job = base .. ARGV[1]
if call('GET', job .. ':lock') ~= ARGV[2] then return false end
if ARGV[3] ~= '' then
  local de = base .. 'de:' .. ARGV[3]
  local holder = call('GET', de)
  if not holder or holder == ARGV[1] or over(de, holder) then call('SET', de, ARGV[1]) end
end
return call('HGET', job, 'jobport')
`

/** ARGV: uids. */
const look = `
local looks = {}
for i, uid in ipairs(ARGV) do
  local due = score('delayed', uid)
  local job = call('HMGET', base .. uid, 'jobport', 'ats', 'atm', 'stc')
  looks[i] = { state(uid), due or '', job[1] or '', job[2] or '0', job[3] or '0', job[4] or '0' }
end
return looks
`

/** ARGV: the highest score of what is due. Returns how many wait, are delayed, are active, are dead. */
const counts = `
local late = call('ZCOUNT', base .. 'delayed', '-inf', ARGV[1])
return {
  call('LLEN', base .. 'wait') + call('ZCARD', base .. 'prioritized') + late,
  call('ZCARD', base .. 'delayed') - late,
  call('LLEN', base .. 'active'),
  call('ZCARD', base .. 'failed')
}
`

/** A page of what waits, or is due: in one step, for jobs move from the one to the other. ARGV: offset, limit, the highest score of what is due. */
const waiting = `
local start, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local uids, before = {}, 0
local function add(size, range)
  local from = math.max(0, start - before)
  local count = math.min(limit - #uids, size - from)
  before = before + size
  if count <= 0 then return end
  for _, uid in ipairs(range(from, count)) do uids[#uids + 1] = uid end
end
add(call('LLEN', base .. 'wait'), function(from, count)
  local found, inOrder = call('LRANGE', base .. 'wait', -from - count, -from - 1), {}
  for i = #found, 1, -1 do inOrder[#inOrder + 1] = found[i] end
  return inOrder
end)
add(call('ZCARD', base .. 'prioritized'), function(from, count)
  return call('ZRANGE', base .. 'prioritized', from, from + count - 1)
end)
add(call('ZCOUNT', base .. 'delayed', '-inf', ARGV[3]), function(from, count)
  return call('ZRANGE', base .. 'delayed', from, from + count - 1)
end)
return uids
`

/** ARGV: token. */
const salvage = `
for _, uid in ipairs(call('LRANGE', base .. 'active', 0, -1)) do
  if call('GET', base .. uid .. ':lock') == ARGV[1] then return uid end
end
return false
`

/** ARGV: id. */
const find = `
local uid = live(ARGV[1])
return uid or false
`

/** ARGV: id. Answers 1, 0, or the uid of a job that BullMQ must remove itself. */
const remove = `
local uid, found = live(ARGV[1])
if found ~= 'waiting' and found ~= 'delayed' then return 0 end
if related(uid) then return uid end
local gone = call('ZREM', base .. 'delayed', uid) + call('ZREM', base .. 'prioritized', uid)
if gone == 0 then call('LREM', base .. 'wait', seek('wait', uid), uid) end
drop(uid, found)
return 1
`

/** ARGV: uid. */
const bury = `
if not score('failed', ARGV[1]) then return 0 end
if related(ARGV[1]) then return ARGV[1] end
call('ZREM', base .. 'failed', ARGV[1])
drop(ARGV[1], 'failed')
return 1
`

/** Of what BullMQ has just put before all that waits. */
const lineUp = `
local uids = call('LRANGE', base .. 'wait', -1000, -1)
for i = #uids, 1, -1 do
  local job = call('HMGET', base .. uids[i], 'stc', 'priority')
  if not job[1] then break end
  local priority = tonumber(job[2]) or 0
  if priority > 0 then
    call('LREM', base .. 'wait', -1, uids[i])
    call('ZADD', base .. 'prioritized', priority * 0x100000000, uids[i])
  end
end
`

/** ARGV: source, offset, limit. Answers how many were removed, and how many were seen but left to BullMQ. */
const purge = `
local key = base .. ARGV[1]
local isList = ARGV[1] == 'wait'
local last = ARGV[2] + ARGV[3] - 1
local uids = call(isList and 'LRANGE' or 'ZRANGE', key, ARGV[2], last)
local removed = 0
for _, uid in ipairs(uids) do
  if not related(uid) then
    if isList then call('LREM', key, 1, uid) else call('ZREM', key, uid) end
    drop(uid, (ARGV[1] == 'delayed' or ARGV[1] == 'failed') and ARGV[1] or 'waiting')
    removed = removed + 1
  end
end
return { removed, #uids - removed }
`

/** ARGV: uid, new uid, attempts or '', now. */
const redrive = `
local uid, new = ARGV[1], ARGV[2]
local job = base .. uid
if not score('failed', uid) or call('EXISTS', job) == 0 then return 'missing' end
if related(uid) then return 'native' end
local old = call('HMGET', job, 'name', 'data', 'opts', 'timestamp', 'priority', 'deid')
local id = old[6] or uid
local de = base .. 'de:' .. id
local holder = call('GET', de)
if (holder and not over(de, holder)) or live(id) then return 'duplicate' end
local fine, opts = pcall(cjson.decode, old[3] or '{}')
if not fine or type(opts) ~= 'table' then opts = {} end
opts.jobId = new
opts.delay = nil
opts.de = { id = id }
if ARGV[3] ~= '' then opts.attempts = tonumber(ARGV[3]) end
if type(opts.jobport) == 'table' then opts.jobport.dedup = nil else opts.jobport = { version = 1 } end
local priority = tonumber(old[5]) or 0
call('HSET', base .. new, 'name', old[1] or '', 'data', old[2] or '{}', 'opts', cjson.encode(opts),
  'timestamp', old[4] or ARGV[4], 'delay', 0, 'priority', priority, 'deid', id)
call('SET', de, new)
if priority == 0 then
  call('LPUSH', base .. 'wait', new)
else
  local counter = call('INCR', base .. 'pc')
  call('ZADD', base .. 'prioritized', priority * 0x100000000 + counter % 0x100000000, new)
end
if call('HEXISTS', base .. 'meta', 'paused') == 0 then call('ZADD', base .. 'marker', 0, '0') end
call('XADD', base .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'added', 'jobId', new, 'name', old[1] or '')
call('XADD', base .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'waiting', 'jobId', new)
call('ZREM', base .. 'failed', uid)
drop(uid, 'failed')
return 'redriven'
`

/**
 * The newest dead letter of an id. An index, \`<id>\\0<time of death>\\0<uid>\`, follows the failed set: each call first
 * takes in who died since the last, with a minute's grace for workers whose clocks differ, and believes no entry that
 * the failed set does not confirm. So whoever moves jobs about, it answers rightly.
 * ARGV: id, where to go on or ''. Answers { uid or '', where to go on or '' }.
 */
const dead = `
local index, mark = base .. 'jobport:dead', base .. 'jobport:mark'
if call('ZCARD', index) > 2 * call('ZCARD', base .. 'failed') + 1000 then call('DEL', index, mark) end
local from = ARGV[2]
if from == '' then from = math.max(0, (tonumber(call('GET', mark)) or 0) - 60000) end
local batch = call('ZRANGEBYSCORE', base .. 'failed', from, '+inf', 'WITHSCORES', 'LIMIT', 0, 2000)
if #batch == 4000 and batch[2] == batch[4000] then
  batch = call('ZRANGEBYSCORE', base .. 'failed', batch[2], batch[2], 'WITHSCORES')
end
local last
for i = 1, #batch, 2 do
  last = batch[i + 1]
  local id = call('HGET', base .. batch[i], 'deid')
  if id then call('ZADD', index, 0, id .. '\\0' .. string.format('%016d', last) .. '\\0' .. batch[i]) end
end
if last then call('SET', mark, last) end
if #batch >= 4000 then
  return { '', batch[2] == last and '(' .. last or last }
end
for _, entry in ipairs(call('ZREVRANGEBYLEX', index, '(' .. ARGV[1] .. '\\0\\255', '[' .. ARGV[1] .. '\\0')) do
  local at = tonumber(string.sub(entry, #ARGV[1] + 2, #ARGV[1] + 17))
  local uid = string.sub(entry, #ARGV[1] + 19)
  if tonumber(score('failed', uid) or -1) == at and call('HGET', base .. uid, 'deid') == ARGV[1] then return { uid, '' } end
  call('ZREM', index, entry)
end
if score('failed', ARGV[1]) and not call('HGET', base .. ARGV[1], 'deid') then return { ARGV[1], '' } end
return { '', '' }
`

export type ScriptName =
  | 'free'
  | 'note'
  | 'recall'
  | 'look'
  | 'counts'
  | 'waiting'
  | 'salvage'
  | 'find'
  | 'remove'
  | 'bury'
  | 'purge'
  | 'lineUp'
  | 'redrive'
  | 'dead'

const BODIES: Record<ScriptName, string> = {
  free,
  note,
  recall,
  look,
  counts,
  waiting,
  salvage,
  find,
  remove,
  bury,
  purge,
  lineUp,
  redrive,
  dead,
}

export const SCRIPTS: ReadonlyMap<ScriptName, string> = new Map(
  Object.entries(BODIES).map(([name, body]) => [name as ScriptName, COMMON + body]),
)
