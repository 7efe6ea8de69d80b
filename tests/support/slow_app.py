"""A WSGI application for gunicorn: `/slow` takes longer than its `--timeout`."""

import time


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(60)
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"done\n"]
