from overrun_watchdog.gunicorn import *  # noqa: F403
