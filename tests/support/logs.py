"""Exports log records with the OpenTelemetry SDK for Python, through the handler that it puts under Python's loggers.

Settings (JSON, the first argument): `protocol`: `http_protobuf` or `grpc`; `endpoint`; `resource`: its attributes; `records`,
each with `logger`, `level` (Python's number), `message` and, if it has some, `attributes`. Ends once everything is flushed.
"""

import json
import logging
import sys

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

settings = json.loads(sys.argv[1])
if settings["protocol"] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(endpoint=settings["endpoint"], insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(endpoint=settings["endpoint"] + "/v1/logs")

provider = LoggerProvider(resource=Resource.create(settings["resource"]))
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
handler = LoggingHandler(logger_provider=provider)

for record in settings["records"]:
    logger = logging.getLogger(record["logger"])
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    if handler not in logger.handlers:
        logger.addHandler(handler)
    logger.log(record["level"], record["message"], extra=record.get("attributes"))

flushed = provider.force_flush(30_000)
provider.shutdown()
sys.exit(0 if flushed else 1)
