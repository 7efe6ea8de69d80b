"""A webhook receiver as a user would write one: Standard Webhooks' own library checks the signature, CloudEvents' own
library reads the event.

Settings (JSON, the first argument): `port`; `secret`; `answers`, what the first requests get, each a status or "hold" for no
answer at all; later ones get 204. Writes {"listening": true}, then one object per request.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.v1.http import from_http
from standardwebhooks import Webhook

settings = json.loads(sys.argv[1])
answers = iter(settings.get("answers", []))
lock = threading.Lock()


def say(value):
    with lock:
        print(json.dumps(value), flush=True)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = {"path": self.path, "headers": headers}
        try:
            Webhook(settings["secret"]).verify(body, headers)
            event = from_http(headers, body)
            said["event"] = {**event.get_attributes(), "data": event.get_data()}
        except Exception as error:
            said["refused"] = repr(error)
        answer = 400 if "refused" in said else next(answers, 204)
        say(said)
        if answer == "hold":
            threading.Event().wait()
        self.send_response(answer)
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", settings["port"]), Receiver)
say({"listening": True})
server.serve_forever()
