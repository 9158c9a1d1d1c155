-- Pushes for wrk, each distinct: sealed ones from the file that PUSHES names, or else in plaintext mode, where a
-- signature is good for any body.
local query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656"
local thread = 0

function setup(it)
    it:set("number", thread)
    thread = thread + 1
end

local sent, sealed, again = 0, nil, nil
function init()
    if os.getenv("PUSHES") then
        sealed = {}
        for line in io.lines(os.getenv("PUSHES")) do
            sealed[#sealed + 1] = line
        end
    end
end

local function push(query, body)
    return wrk.format("POST", "/wechat?" .. query, { ["Content-Type"] = "text/xml" }, body)
end

function request()
    if again then
        return again
    end
    sent = sent + 1
    if sealed then
        -- What is sent again is answered as a retry.
        return push(sealed[(sent - 1) % #sealed + 1]:match("(.*)\t(.*)"))
    end
    local new = push(query, "<xml><ToUserName><![CDATA[gh_3d5f1b2c7a90]]></ToUserName>\n"
        .. "<FromUserName><![CDATA[oQ7tTwK2mVbX9hJ4sLrYc8NfEzUg]]></FromUserName>\n<CreateTime>" .. os.time()
        .. "</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[你好]]></Content>\n<MsgId>"
        .. os.time() .. number .. sent .. "</MsgId>\n</xml>")
    if os.getenv("AGAIN") then
        again = new
    end
    return new
end
