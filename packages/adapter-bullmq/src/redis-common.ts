/**
 * What all scripts begin with. Each runs as one atomic step. KEYS[1] is the queue's prefix, `bull:orders:`, as in BullMQ's own
 * scripts: all keys of a queue share a slot. They rest on BullMQ's data model: `wait` and `active` are lists, `prioritized`, `delayed`,
 * `completed` and `failed` sorted sets of job ids, `de:<id>` names the holder of a deduplication id.
 */
export const COMMON: string = `
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
