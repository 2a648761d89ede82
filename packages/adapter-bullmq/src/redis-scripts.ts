/**
 * Each runs as one atomic step. KEYS[1] is the queue's prefix, `bull:orders:`, as in BullMQ's own scripts: all keys
 * of a queue share a slot. They rest on BullMQ's data model: `wait` and `active` are lists, `prioritized`, `delayed`,
 * `completed` and `failed` sorted sets of job ids, `de:<id>` names the holder of a deduplication id.
 */
const COMMON = `
local base = KEYS[1]
local call = redis.call
local function score(set, uid) return call('ZSCORE', base .. set, uid) end
local function drop(uid, prev)
  local job = base .. uid
  local id = call('HGET', job, 'deid')
  if id and call('GET', base .. 'de:' .. id) == uid then call('DEL', base .. 'de:' .. id) end
  call('DEL', job, job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
  call('XADD', base .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'removed', 'jobId', uid, 'prev', prev)
end
local function related(uid)
  return call('HEXISTS', base .. uid, 'parentKey') == 1 or call('HEXISTS', base .. uid, 'rjk') == 1
end
local function over(de, holder)
  if score('failed', holder) then return true end
  if call('PTTL', de) ~= -1 then return false end
  return call('EXISTS', base .. holder) == 0 or score('completed', holder) ~= false
end
-- 1 or -1: from which end of the list it is near; most are near one
local function seek(list, uid)
  local key = base .. list
  for _, near in ipairs({ 1000, 10000 }) do
    if call('LPOS', key, uid, 'MAXLEN', near) then return 1 end
    if call('LPOS', key, uid, 'RANK', -1, 'MAXLEN', near) then return -1 end
  end
  return call('LPOS', key, uid) and 1
end
local function state(uid)
  if score('delayed', uid) then return 'delayed' end
  if score('prioritized', uid) then return 'waiting' end
  if score('failed', uid) then return 'dead' end
  if score('completed', uid) then return 'completed' end
  if seek('active', uid) then return 'active' end
  if seek('wait', uid) then return 'waiting' end
  return call('EXISTS', base .. uid) == 1 and 'other' or ''
end
local function live(id)
  local holder = call('GET', base .. 'de:' .. id)
  for _, uid in ipairs({ holder or id, id }) do
    local found = state(uid)
    local isLive = found == 'waiting' or found == 'delayed' or found == 'active'
    if isLive and (call('HGET', base .. uid, 'deid') or uid) == id then return uid, found end
  end
end
`

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
  | 'salvage'
  | 'find'
  | 'remove'
  | 'bury'
  | 'purge'
  | 'redrive'
  | 'dead'

const BODIES: Record<ScriptName, string> = { free, note, recall, look, counts, salvage, find, remove, bury, purge, redrive, dead }

export const SCRIPTS: ReadonlyMap<ScriptName, string> = new Map(
  Object.entries(BODIES).map(([name, body]) => [name as ScriptName, COMMON + body]),
)
