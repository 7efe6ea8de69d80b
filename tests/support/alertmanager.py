"""Alertmanager's API v2, as far as who sends alerts and who looks at them sees it: an alert is its labels, each message says
anew until when it lasts, and what has ended is not listed.

Stands in where no real one is named; see tests/it/alertmanager.rs. From api/v2/openapi.yaml of prometheus/alertmanager, read
2026-11-27, and the behaviour of 0.25.

Settings (JSON, the first argument): `port`.
"""

import json
import re
import sys
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

alerts = {}


def moment(text):
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text.replace("Z", "+00:00")))


def fault(alert):
    if not alert["labels"]:
        return "at least one label pair required"
    if bad := [name for name in alert["labels"] if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name)]:
        return f"invalid label set: invalid name {bad[0]!r}"
    if moment(alert["startsAt"]) > moment(alert["endsAt"]):
        return "start time must be before end time"


class Api(BaseHTTPRequestHandler):
    def answer(self, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/-/ready":
            return self.answer(200)
        now = datetime.now(timezone.utc)
        listed = [alert | {"status": {"state": "active"}} for alert in alerts.values() if moment(alert["endsAt"]) > now]
        self.answer(200, listed)

    def do_POST(self):
        given = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if faults := [why for why in map(fault, given) if why]:
            return self.answer(400, faults[0])
        for alert in given:
            alerts[json.dumps(alert["labels"], sort_keys=True)] = alert
        self.answer(200)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", json.loads(sys.argv[1])["port"]), Api).serve_forever()
