-- Asks wrk's one question over and over, with the next of several API keys each time, so that no partner's limit is
-- reached; says at the end how it went, as a line of JSON. Argument: a file with a key in each line.

local requests, number = {}, 0

function init(arguments)
    for key in io.lines(arguments[1]) do
        wrk.headers["Authorization"] = "Bearer " .. key
        requests[#requests + 1] = wrk.format()
    end
end

function request()
    number = number % #requests + 1
    return requests[number]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"bytes":%d,"microseconds":%d,"broken":%d,"refused":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.bytes, summary.duration,
        errors.connect + errors.read + errors.write + errors.timeout, errors.status,
        latency:percentile(50), latency:percentile(99)
    ))
end
