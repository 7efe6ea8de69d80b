"""Bugsink, a server that speaks Sentry's protocol, with one project in databases of its own.

Settings (JSON, the first argument): none. Writes {"dsn"}, then one object per envelope: `status`, and what Bugsink has of the
project by then: `issues`, how many; `event`, its latest as its API gives it; `stacktrace`, the same as text; `page`, what it shows people.
"""

import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

# Next to what the other scripts use, since it pins what they have in other versions. See scripts/test-peers.
sys.path.insert(0, str(Path(sys.prefix) / "bugsink"))
home = tempfile.TemporaryDirectory()
os.chdir(home.name)
sys.path.insert(0, home.name)

server = make_server("127.0.0.1", 0, None)
url = f"http://127.0.0.1:{server.server_port}"
Path("bugsink_conf.py").write_text(f"""
from bugsink.settings.default import *

SECRET_KEY = "of a database that lives for one test, and longer than Django asks for"
SNAPPEA = {{"TASK_ALWAYS_EAGER": True}}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
LOGGING = {{"version": 1, "disable_existing_loggers": True}}
# Tables as they are by now: the hundred migrations up to there take five times as long.
MIGRATION_MODULES = type("NoMigrations", (), {{"__contains__": lambda *_: True, "__getitem__": lambda *_: None}})()
BUGSINK = {{"BASE_URL": "{url}", "SINGLE_USER": True, "SINGLE_TEAM": True, "PHONEHOME": False}}
""")
os.environ["DJANGO_SETTINGS_MODULE"] = "bugsink_conf"

import django
from django.core.management import call_command

django.setup()
for database in ["default", "snappea"]:
    call_command("migrate", database=database, run_syncdb=True, verbosity=0)

from bsmain.models import AuthToken
from bugsink.api_capabilities import CAPABILITY_FIELD_NAMES
from bugsink.wsgi import application
from django.contrib.auth import get_user_model
from django.test import Client
from events.models import Event
from issues.models import Issue
from phonehome.models import Installation
from projects.models import Project
from teams.models import Team

# What a migration would have written.
Installation.objects.create()
project = Project.objects.create(name="overrun", team=Team.objects.create(name="all"))
person = Client(SERVER_NAME="127.0.0.1")
person.force_login(get_user_model().objects.create_superuser("ada", password="any"))
token = AuthToken.objects.create(**{field: True for field in CAPABILITY_FIELD_NAMES.values()}).token
program = Client(SERVER_NAME="127.0.0.1", headers={"authorization": f"Bearer {token}"})


def seen():
    event = Event.objects.order_by("digest_order").last()
    if event is None:
        return {"issues": 0}
    at = f"/api/canonical/0/events/{event.pk}/"
    return {
        "issues": Issue.objects.count(),
        "event": program.get(at).json(),
        "stacktrace": program.get(f"{at}stacktrace/").content.decode(),
        "page": person.get(f"/issues/issue/{event.issue_id}/event/{event.pk}/").content.decode(),
    }


def app(environ, start_response):
    said = {}

    def started(status, headers, *rest):
        said["status"] = int(status.split()[0])
        return start_response(status, headers, *rest)

    answer = list(application(environ, started))
    print(json.dumps(said | seen()), flush=True)
    return answer


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


server.set_app(app)
server.RequestHandlerClass = Quiet
print(json.dumps({"dsn": project.dsn}), flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
threading.Event().wait()
