-- Puts a staged model live in one atomic step, if the live version is still the one it was judged against.
-- KEYS: model, version, staging, run.  ARGV: version judged against, new version, result document, its lifetime in s.
local finished = redis.call('GET', KEYS[4])
if finished then
    redis.call('UNLINK', KEYS[3])
    return {'published', finished}
end
local live = redis.call('GET', KEYS[2]) or ''
if live ~= ARGV[1] then
    redis.call('UNLINK', KEYS[3])
    return {'overtaken', live}
end
if redis.call('EXISTS', KEYS[3]) == 0 then
    return {'missing', ''}
end
-- The only write that a full memory can refuse comes first: Redis takes nothing back of a script that fails midway.
redis.call('SET', KEYS[4], ARGV[3], 'EX', ARGV[4])
redis.call('UNLINK', KEYS[1])
redis.call('RENAME', KEYS[3], KEYS[1])
redis.call('PERSIST', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2])
return {'published', ARGV[3]}
