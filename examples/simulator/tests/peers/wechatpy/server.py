"""A receiver on wechatpy and Flask, in the steps of wechatpy's quick start: `python server.py PORT`.

Without a key it takes the quick start's plaintext steps, with one its steps for encryption: its settings decide,
not the request.
"""

import itertools
import os
import sys
import time

from flask import Flask, abort, request
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException
from wechatpy.utils import check_signature

TOKEN = os.environ["WECHAT_TOKEN"]
crypto = None
if os.environ.get("WECHAT_MODE", "plain") != "plain":
    crypto = WeChatCrypto(TOKEN, os.environ["WECHAT_AES_KEY"], os.environ["WECHAT_APP_ID"])

app = Flask(__name__)
runs = itertools.count(1)


def answer(text):
    command, _, rest = text.partition(" ")
    if command == "echo" and rest:
        return rest
    if command == "wait" and rest:
        time.sleep(float(rest))
        return f"number {next(runs)}"
    if text == "number":
        return f"number {next(runs)}"
    return text


@app.route("/wechat", methods=["GET", "POST"])
def wechat():
    timestamp, nonce = request.args.get("timestamp", ""), request.args.get("nonce", "")
    try:
        check_signature(TOKEN, request.args.get("signature", ""), timestamp, nonce)
    except InvalidSignatureException:
        abort(403)
    if request.method == "GET":
        return request.args.get("echostr", "")

    xml = request.data
    if crypto:
        try:
            xml = crypto.decrypt_message(xml, request.args.get("msg_signature", ""), timestamp, nonce)
        except (InvalidSignatureException, InvalidAppIdException):
            abort(403)
    message = parse_message(xml)
    # An empty text has no content, and parse_message makes nothing of a body of no bytes.
    text = answer(message.content or "") if message and message.type == "text" else None
    reply = create_reply(text, message=message).render()
    # The empty answer is not to be encrypted, which is left to the caller.
    return crypto.encrypt_message(reply, nonce, timestamp) if crypto and reply else reply


app.run("127.0.0.1", int(sys.argv[1]))
