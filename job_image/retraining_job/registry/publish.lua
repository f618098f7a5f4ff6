-- Puts a staged model live in one atomic step, if the live one is still the one it was judged against.
-- KEYS: model, version, meta, state, epoch, history, run, challenger, staging, former.
-- ARGV: version and epoch judged against; new version, epoch, manifest, state ('' for none), result document, its
--       lifetime in s; former champions to keep; channel and notice.
local MODEL, VERSION, META, STATE, EPOCH, HISTORY, RUN, CHALLENGER, STAGING, FORMER = unpack(KEYS)

for _, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= (key == HISTORY and 'hash' or 'string') then
        return {'wrong', key, kind}
    end
end
local finished = redis.call('GET', RUN)
if finished then
    redis.call('UNLINK', STAGING)
    return {'published', finished, ''}
end
local live, meta = redis.call('GET', VERSION) or '', redis.call('GET', META) or ''
if live ~= ARGV[1] or (redis.call('GET', EPOCH) or '') ~= ARGV[2] then
    redis.call('UNLINK', STAGING)
    return {'overtaken', live, meta}
end
if redis.call('EXISTS', STAGING) == 0 then
    return {'missing', '', ''}
end

-- The one write that a full memory can refuse comes first: Redis takes nothing back of a script that fails midway, and
-- it refuses nothing for lack of memory once a script has written.
local writes = {{'SET', RUN, ARGV[7], 'EX', ARGV[8]}}
local function plan(...)
    writes[#writes + 1] = {...}
end

-- The manifest counts where it is that of the live version; a model that somebody else has put there has none.
local readable, manifest = pcall(cjson.decode, meta)
local described = readable and type(manifest) == 'table' and tostring(manifest.version) == live
local state = described and redis.call('GET', STATE)
local has_model = redis.call('EXISTS', MODEL) == 1
if has_model or state then
    local former = live == '' and '0' or live
    plan('HSET', HISTORY, former,
        '{"manifest":' .. (described and meta or 'null') .. ',"state":' .. (state and cjson.encode(state) or 'null') .. '}')
    local kept_pickle = HISTORY .. ':' .. former
    if has_model and not state then
        plan('UNLINK', kept_pickle)
        plan('RENAME', MODEL, kept_pickle)
        plan('PERSIST', kept_pickle)
    end
    local versions = redis.call('HKEYS', HISTORY)
    if redis.call('HEXISTS', HISTORY, former) == 0 then
        versions[#versions + 1] = former
    end
    table.sort(versions, function(a, b) return (tonumber(a) or -1) > (tonumber(b) or -1) end)
    for place = tonumber(ARGV[9]) + 1, #versions do
        plan('HDEL', HISTORY, versions[place])
        plan('EXPIRE', HISTORY .. ':' .. versions[place], 1)  -- to be freed later, as below
    end
end
if has_model and state then
    -- Redis frees a value of one piece at once, which for a pickle takes longer than all the rest: so not in here.
    plan('RENAME', MODEL, FORMER)
    plan('EXPIRE', FORMER, 60)
end
plan('UNLINK', MODEL)
plan('RENAME', STAGING, MODEL)
plan('PERSIST', MODEL)
plan('SET', VERSION, ARGV[3])
plan('SET', EPOCH, ARGV[4])
plan('SET', META, ARGV[5])
if ARGV[6] == '' then
    plan('UNLINK', STATE)
else
    plan('SET', STATE, ARGV[6])
end
plan('UNLINK', CHALLENGER)

-- A user who may do some of this and not all would leave half of it done. Before Redis 7 it cannot be asked.
if redis.acl_check_cmd then
    for _, write in ipairs(writes) do
        if not redis.acl_check_cmd(unpack(write)) then
            return {'forbidden', write[1], write[2]}
        end
    end
end
for _, write in ipairs(writes) do
    redis.call(unpack(write))
end
redis.pcall('PUBLISH', ARGV[10], ARGV[11])  -- who may not publish has promoted all the same
return {'published', ARGV[7], ''}
