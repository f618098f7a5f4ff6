-- Makes a staged model live in one atomic step, if the live model is still the one it was evaluated against.
-- The names of KEYS and ARGV are those of PublishKeys and PublishArguments in publish_script.py.
local MODEL, VERSION, META, STATE, EPOCH, HISTORY, RUN, CHALLENGER, STAGING, FORMER, THRESHOLD = unpack(KEYS)
local EXPECTED_VERSION, EXPECTED_EPOCH, NEW_VERSION, NEW_EPOCH, NEW_MANIFEST, NEW_STATE, RESULT, RESULT_SECONDS,
    DROPPED, CHANNEL, NOTICE, NEW_THRESHOLD = unpack(ARGV)

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
if live ~= EXPECTED_VERSION or (redis.call('GET', EPOCH) or '') ~= EXPECTED_EPOCH then
    redis.call('UNLINK', STAGING)
    return {'overtaken', live, meta}
end
if redis.call('EXISTS', STAGING) == 0 then
    return {'missing', '', ''}
end

-- The one write that a full memory can refuse comes first: Redis does not undo a script that fails midway, and it
-- refuses nothing for lack of memory once a script has written.
local writes = {{'SET', RUN, RESULT, 'EX', RESULT_SECONDS}}
local function plan(...)
    writes[#writes + 1] = {...}
end

-- The manifest counts if it is that of the live version; a model that another program has put there has none.
local readable, manifest = pcall(cjson.decode, meta)
local number = readable and type(manifest) == 'table' and manifest.version
local described = type(number) == 'number' and string.format('%.0f', number) == live
local state = described and redis.call('GET', STATE)
local has_model = redis.call('EXISTS', MODEL) == 1
if has_model or state then
    local former = live == '' and '0' or live
    -- The manifest is stored as a text, to the last byte, because its signature is about its bytes.
    plan('HSET', HISTORY, former, '{"manifest":' .. (described and cjson.encode(meta) or 'null') ..
        ',"state":' .. (state and cjson.encode(state) or 'null') .. '}')
    local kept_pickle = HISTORY .. ':' .. former
    if has_model and not state then
        plan('UNLINK', kept_pickle)
        plan('RENAME', MODEL, kept_pickle)
        plan('PERSIST', kept_pickle)
    end
end
for _, version in ipairs(cjson.decode(DROPPED)) do
    plan('HDEL', HISTORY, version)
    plan('EXPIRE', HISTORY .. ':' .. version, 1)  -- freed later, as below
end
if has_model and state then
    -- Redis frees a string at once, which takes longer for a pickle than all the rest, so it is freed outside.
    plan('RENAME', MODEL, FORMER)
    plan('EXPIRE', FORMER, 60)
end
plan('UNLINK', MODEL)
plan('RENAME', STAGING, MODEL)
plan('PERSIST', MODEL)
plan('SET', VERSION, NEW_VERSION)
plan('SET', EPOCH, NEW_EPOCH)
plan('SET', META, NEW_MANIFEST)
if NEW_STATE == '' then
    plan('UNLINK', STATE)
else
    plan('SET', STATE, NEW_STATE)
end
if NEW_THRESHOLD ~= '' then
    plan('SET', THRESHOLD, NEW_THRESHOLD)
end
plan('UNLINK', CHALLENGER)

-- A user who has only some of the rights would leave the change half done. Redis before 7 cannot check them.
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
redis.pcall('PUBLISH', CHANNEL, NOTICE)  -- the promotion counts even if the user may not send the notice
return {'published', RESULT, ''}
