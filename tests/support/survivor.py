"""Calls a watched function that ends just in time. Settings (JSON, the first argument): `request_id`; `limit_ms`, `takes_ms`."""

import json
import sys
import time

from overrun_watchdog import watching

settings = json.loads(sys.argv[1])
with watching(settings["limit_ms"], request_id=settings["request_id"], facts={"function": "checkout", "platform": "aws_lambda"}):
    time.sleep(settings["takes_ms"] / 1000)
print(json.dumps({"ended": True}), flush=True)
