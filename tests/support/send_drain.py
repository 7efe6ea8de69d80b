"""Sends lines as a platform's drain does: wrapped, signed and with the headers of that platform.

Settings (JSON, the first argument): `endpoint`, `platform`, `lines`, and what that platform knows beside: `frame_id` (logplex), `secret` (vercel), `request_id` and
`access_key` (firehose). Writes {"status", "headers", "body"}.
"""

import base64
import gzip
import hashlib
import hmac
import http.client
import json
import sys
import time
from urllib.parse import urlsplit

settings = json.loads(sys.argv[1])
lines = settings["lines"]


def logplex():
    messages = [f"<190>1 2026-11-20T12:00:03.000000+00:00 host app web.1 - {line}\n".encode() for line in lines]
    headers = {
        "Content-Type": "application/logplex-1",
        "Logplex-Msg-Count": str(len(messages)),
        "Logplex-Frame-Id": settings["frame_id"],
        "Logplex-Drain-Token": "d.fc6b856b-3332-4546-93de-7d0ee272c3bd",
        "User-Agent": "Logplex/v73",
    }
    return headers, b"".join(b"%d %s" % (len(message), message) for message in messages)


def vercel():
    common = {"deploymentId": "dpl_1", "projectId": "prj_1", "source": "lambda", "type": "stderr", "timestamp": 1795176003000}
    body = json.dumps([common | {"id": str(n), "requestId": settings["request_id"], "message": line} for n, line in enumerate(lines)]).encode()
    signature = hmac.new(settings["secret"].encode(), body, hashlib.sha1).hexdigest()
    return {"Content-Type": "application/json", "x-vercel-signature": signature}, body


def subscription():
    events = [{"id": str(n), "timestamp": 1795176003000, "message": line + "\n"} for n, line in enumerate(lines)]
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": "444455556666",
        "logGroup": "/aws/lambda/invoices",
        "logStream": "2026/11/20/[$LATEST]1bd7e0a9",
        "subscriptionFilters": ["overrun"],
        "logEvents": events,
    }
    return base64.b64encode(gzip.compress(json.dumps(message).encode(), mtime=0)).decode()


def firehose():
    headers = {
        "Content-Type": "application/json",
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Request-Id": settings["request_id"],
        "X-Amz-Firehose-Access-Key": settings["access_key"],
        "X-Amz-Firehose-Common-Attributes": json.dumps({"commonAttributes": {"stack": "invoicing"}}),
    }
    # The time of the try, which differs when the same delivery is tried again.
    body = {"requestId": settings["request_id"], "timestamp": int(time.time() * 1000), "records": [{"data": subscription()}]}
    return headers, json.dumps(body).encode()


def cloudwatch():
    return {"Content-Type": "application/json"}, json.dumps({"awslogs": {"data": subscription()}}).encode()


headers, body = {"logplex": logplex, "vercel": vercel, "firehose": firehose, "cloudwatch": cloudwatch}[settings["platform"]]()
connection = http.client.HTTPConnection(urlsplit(settings["endpoint"]).netloc)
connection.request("POST", "/v1/push/" + settings["platform"], body, headers)
answer = connection.getresponse()
headers = {name.lower(): value for name, value in answer.getheaders()}
print(json.dumps({"status": answer.status, "headers": headers, "body": answer.read().decode()}), flush=True)
