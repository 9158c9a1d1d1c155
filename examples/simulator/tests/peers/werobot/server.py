"""A receiver on WeRoBot and the server that it chooses itself: `python server.py PORT`.

Its sessions are on, as they are by default: a file `werobot_session.sqlite3` in the current folder.
"""

import itertools
import os
import sys
import time

from werobot import WeRoBot

robot = WeRoBot(token=os.environ["WECHAT_TOKEN"])
if os.environ.get("WECHAT_MODE", "plain") != "plain":
    robot.config["APP_ID"] = os.environ["WECHAT_APP_ID"]
    robot.config["ENCODING_AES_KEY"] = os.environ["WECHAT_AES_KEY"]
robot.config["HOST"] = "127.0.0.1"
robot.config["PORT"] = int(sys.argv[1])

runs = itertools.count(1)


@robot.text
def answer(message):
    command, _, rest = message.content.partition(" ")
    if command == "echo" and rest:
        return rest
    if command == "wait" and rest:
        time.sleep(float(rest))
        return f"number {next(runs)}"
    if message.content == "number":
        return f"number {next(runs)}"
    return message.content


robot.run()
