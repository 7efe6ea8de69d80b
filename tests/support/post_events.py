"""Posts watchdog events as CloudEvents, made by CloudEvents' own library: once structured, once binary.

Settings (JSON, the first argument): `endpoint`; `structured`, `binary`: an event's data each; `source`, `subject`. Writes
{"status", "body"} per event.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit

from cloudevents.v1.conversion import to_binary, to_structured
from cloudevents.v1.http import CloudEvent

settings = json.loads(sys.argv[1])
attributes = {"type": "dev.overrun.watchdog.v1", "datacontenttype": "application/json"}
attributes |= {name: settings[name] for name in ("source", "subject")}

for convert, mode in ((to_structured, "structured"), (to_binary, "binary")):
    headers, body = convert(CloudEvent(attributes, settings[mode]))
    connection = http.client.HTTPConnection(urlsplit(settings["endpoint"]).netloc)
    connection.request("POST", "/v1/watchdog", body, headers)
    answer = connection.getresponse()
    print(json.dumps({"status": answer.status, "body": answer.read().decode()}), flush=True)
