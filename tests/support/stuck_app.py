"""A WSGI application for gunicorn that gets stuck: `/sleep`, and `/lock`, where it holds the interpreter lock meanwhile."""

import ctypes
import time


def wait_for_orders():
    time.sleep(60)


def wait_for_native_lock():
    mutex = ctypes.create_string_buffer(64)
    library = ctypes.PyDLL(None)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


def app(environ, start_response):
    if environ["PATH_INFO"] == "/sleep":
        wait_for_orders()
    if environ["PATH_INFO"] == "/lock":
        wait_for_native_lock()
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"done\n"]
