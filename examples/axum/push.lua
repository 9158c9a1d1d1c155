-- Pushes for wrk, each distinct. In plaintext mode a signature is good for any body.
local query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656"
local thread = 0

function setup(it)
    it:set("number", thread)
    thread = thread + 1
end

local sent = 0
function request()
    sent = sent + 1
    local body = "<xml><ToUserName><![CDATA[gh_3d5f1b2c7a90]]></ToUserName>\n"
        .. "<FromUserName><![CDATA[oQ7tTwK2mVbX9hJ4sLrYc8NfEzUg]]></FromUserName>\n<CreateTime>" .. os.time()
        .. "</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[你好]]></Content>\n<MsgId>"
        .. os.time() .. number .. sent .. "</MsgId>\n</xml>"
    return wrk.format("POST", "/wechat?" .. query, { ["Content-Type"] = "text/xml" }, body)
end
