"""A function that requests are run again by, as a user would write one: it keeps idempotency keys and does nothing twice.

Writes {"port"}, then one object per call.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = set()


class Function(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers["idempotency-key"]
        first = key not in seen
        seen.add(key)
        print(json.dumps({"key": key, "first": first, "event": body["originalEvent"]}), flush=True)
        answer = f"order {body['originalEvent']['order']} shipped".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Function)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
