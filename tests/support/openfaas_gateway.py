"""OpenFaaS's asynchronous functions, as far as a caller sees them: the gateway's answer and the queue worker's callback.

`POST /async-function/{name}` is answered 202 with `X-Call-Id` before anything runs. Then the function runs, and its answer is
posted to `X-Callback-Url`, under the headers of that answer and with `X-Call-Id`, `X-Function-Status`, `X-Function-Name` and
`X-Duration-Seconds`. From docs.openfaas.com/reference/async and `postResult` in openfaas/nats-queue-worker, read 2026-11-27.

Settings (JSON, the first argument): `status`, what the function answers (default 200). Writes {"port"}, then one object per
call: `path`, `headers`, `body` and, if it is a CloudEvent, `event`; and one per callback: `callback`, its status.
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.v1.http import from_http

settings = json.loads(sys.argv[1])
lock = threading.Lock()


def say(value):
    with lock:
        print(json.dumps(value), flush=True)


def run(name, call_id, began, callback_url):
    status = settings.get("status", 200)
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "X-Call-Id": call_id,
        "X-Function-Status": str(status),
        "X-Function-Name": name,
        "X-Duration-Seconds": f"{time.monotonic() - began:.6f}",
    }
    callback = urllib.request.Request(callback_url, b"shipped", headers)
    try:
        with urllib.request.urlopen(callback) as answer:
            say({"callback": answer.status, "duration": headers["X-Duration-Seconds"]})
    except urllib.error.HTTPError as refused:
        say({"callback": refused.code})


class Gateway(BaseHTTPRequestHandler):
    def do_POST(self):
        began = time.monotonic()
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call_id = str(uuid.uuid4())
        said = {"path": self.path, "headers": headers, "body": json.loads(body), "call_id": call_id}
        if headers["content-type"].startswith("application/cloudevents"):
            event = from_http(headers, body)
            said["event"] = {**event.get_attributes(), "data": event.get_data()}
        self.send_response(202)
        self.send_header("X-Call-Id", call_id)
        self.end_headers()
        say(said)
        if "x-callback-url" in headers:
            name = self.path.removeprefix("/async-function/")
            threading.Thread(target=run, args=(name, call_id, began, headers["x-callback-url"])).start()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
say({"port": server.server_port})
server.serve_forever()
