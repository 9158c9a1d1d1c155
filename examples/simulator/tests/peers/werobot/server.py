"""A receiver on WeRoBot and the server that it chooses itself: `python server.py PORT`."""

import itertools
import os
import sys
import time

from werobot import WeRoBot

robot = WeRoBot(token=os.environ["WECHAT_TOKEN"])
if os.environ.get("WECHAT_MODE", "plain") != "plain":
    robot.config["APP_ID"] = os.environ["WECHAT_APP_ID"]
    robot.config["ENCODING_AES_KEY"] = os.environ["WECHAT_AES_KEY"]
# Nothing here needs sessions, and the default's one connection to SQLite fails now and then under several threads.
robot.config["SESSION_STORAGE"] = False
robot.config["HOST"] = "127.0.0.1"
robot.config["PORT"] = int(sys.argv[1])

runs = itertools.count(1)


@robot.text
def answer(message):
    text = message.content or ""
    command, _, rest = text.partition(" ")
    if command == "echo" and rest:
        return rest
    if command == "wait" and rest:
        time.sleep(float(rest))
        return f"number {next(runs)}"
    if text == "number":
        return f"number {next(runs)}"
    return text


robot.run()
