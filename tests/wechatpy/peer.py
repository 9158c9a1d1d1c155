"""The other side of tests/it/wechatpy.rs: wechatpy, one JSON request per line in, one JSON answer per line out.

{"token", "key", "app_id", "timestamp", "nonce", "seal": text}                      -> {"encrypt", "signature", "envelope"}
{"token", "key", "app_id", "timestamp", "nonce", "open": encrypt, "signature": hex} -> {"message"}
{"token", "key", "app_id", "open_envelope": xml}                                    -> {"message"}
"""

import json
import sys

import xmltodict
from wechatpy.crypto import WeChatCrypto

for line in sys.stdin:
    request = json.loads(line)
    crypto = WeChatCrypto(request["token"], request["key"], request["app_id"])
    if "seal" in request:
        envelope = crypto.encrypt_message(request["seal"], request["nonce"], request["timestamp"])
        xml = xmltodict.parse(envelope)["xml"]
        answer = {"encrypt": xml["Encrypt"], "signature": xml["MsgSignature"], "envelope": envelope}
    elif "open" in request:
        envelope = "<xml><Encrypt><![CDATA[%s]]></Encrypt></xml>" % request["open"]
        message = crypto.decrypt_message(envelope, request["signature"], request["timestamp"], request["nonce"])
        answer = {"message": message}
    else:
        envelope = request["open_envelope"]
        xml = xmltodict.parse(envelope)["xml"]
        message = crypto.decrypt_message(envelope, xml["MsgSignature"], xml["TimeStamp"], xml["Nonce"])
        answer = {"message": message}
    print(json.dumps(answer), flush=True)
