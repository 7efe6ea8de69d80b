"""A mail server that receives: aiosmtpd, with STARTTLS and a login if the settings give a certificate.

Settings (JSON, the first argument): `port`; `certificate`, `key`: files; `username`, `password`. Writes {"listening": true},
then one object per mail, read by Python's own parser.
"""

import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

settings = json.loads(sys.argv[1])


def say(value):
    print(json.dumps(value), flush=True)


class Inbox:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        html = message.get_body(("html",))
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "login": (session.auth_data or b"").decode(),
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "parts": [part.get_content_type() for part in message.iter_parts()],
            "text": message.get_body(("plain",)).get_content(),
            "html": html and html.get_content(),
            "pictures": [
                {"id": part["content-id"], "type": part.get_content_type(), "bytes": len(part.get_content())}
                for part in message.walk()
                if part.get_content_maintype() == "image"
            ],
            "defects": [repr(defect) for part in message.walk() for defect in part.defects],
        })
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    wanted = LoginPassword(settings["username"].encode(), settings["password"].encode())
    return AuthResult(success=data == wanted, auth_data=data.login if data == wanted else None)


options = {}
if "certificate" in settings:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["certificate"], settings["key"])
    options = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": login}

controller = Controller(Inbox(), hostname="127.0.0.1", port=settings["port"], **options)
controller.start()
say({"listening": True})
threading.Event().wait()
