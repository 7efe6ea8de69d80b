"""A traced request that hangs in a call, with heartbeats of its open spans by log records, as G-Research's partial span
processors send them. Their package for Python does not load with this SDK, so the processor is written here.

Settings (JSON, the first argument): `endpoint`; `request_id`; `interval_ms` between heartbeats. Serves no one: it opens a
server's span, ends one call within it, hangs in a second one, and writes {"heartbeats": n} after each round: how
many every open span has had.
"""

import json
import sys
import threading
import time

from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

settings = json.loads(sys.argv[1])
interval_ms = settings["interval_ms"]
resource = Resource.create({"faas.name": "checkout", "cloud.platform": "aws_lambda"})


def carried(span):
    """A span as OTLP's JSON: IDs in hex, where protobuf's own JSON has base64."""
    request = json_format.MessageToDict(encode_spans([span]))
    written = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    written["traceId"] = f"{span.context.trace_id:032x}"
    written["spanId"] = f"{span.context.span_id:016x}"
    if span.parent:
        written["parentSpanId"] = f"{span.parent.span_id:016x}"
    return json.dumps(request)


class PartialSpanProcessor(SpanProcessor):
    def __init__(self, logger):
        self.logger, self.open, self.sent = logger, {}, {}
        threading.Thread(target=self.beat, daemon=True).start()

    def beat(self):
        while True:
            time.sleep(interval_ms / 1000)
            for span_id, span in list(self.open.items()):
                self.emit(span, {"partial.event": "heartbeat", "partial.frequency": f"{interval_ms}ms"})
                self.sent[span_id] = self.sent.get(span_id, 0) + 1
            counts = [self.sent.get(span_id, 0) for span_id in list(self.open)]
            print(json.dumps({"heartbeats": min(counts, default=0)}), flush=True)

    def emit(self, span, attributes):
        self.logger.emit(timestamp=time.time_ns(), body=carried(span), attributes=attributes | {"partial.body.type": "json/v1"})

    def on_start(self, span, parent_context=None):
        self.open[span.context.span_id] = span

    def on_end(self, span):
        self.open.pop(span.context.span_id)
        self.emit(span, {"partial.event": "stop"})


# Nothing waits in a queue, so that what was said before the process is killed has arrived.
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=settings["endpoint"] + "/v1/logs")))
provider = TracerProvider(resource=resource)
provider.add_span_processor(PartialSpanProcessor(logs.get_logger("partial_spans")))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=settings["endpoint"] + "/v1/traces")))
tracer = provider.get_tracer("stories")


def call(host):
    return tracer.start_as_current_span("POST", kind=SpanKind.CLIENT, attributes={"http.request.method": "POST", "server.address": host})


with tracer.start_as_current_span("checkout", kind=SpanKind.SERVER, attributes={"faas.invocation_id": settings["request_id"]}):
    with call("stock.internal"):
        pass
    with call("payments.internal"):
        threading.Event().wait()
