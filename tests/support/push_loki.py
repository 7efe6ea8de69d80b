"""Logs lines through a Loki handler for Python's `logging`, which pushes them as gzipped JSON.

Settings (JSON, the first argument): `endpoint`, `labels`, `metadata`, `lines`. Ends once they are flushed.
"""

import json
import logging
import sys

from loki_logger_handler.formatters.logger_formatter import LoggerFormatter
from loki_logger_handler.loki_logger_handler import LokiLoggerHandler


class Plain(LoggerFormatter):
    """The line itself, as an agent that follows a file would push it."""

    def format(self, record):
        return record.getMessage(), settings["metadata"]


settings = json.loads(sys.argv[1])
handler = LokiLoggerHandler(
    url=settings["endpoint"] + "/loki/api/v1/push",
    labels=settings["labels"],
    timeout=1,
    compressed=True,
    message_in_json_format=False,
    default_formatter=Plain(),
    enable_self_errors=True,
    enable_structured_loki_metadata=True,
    loki_metadata=settings["metadata"],
)
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
for line in settings["lines"]:
    logger.info("%s", line)
logging.shutdown()
