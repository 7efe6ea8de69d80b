"""Exports spans with the OpenTelemetry SDK for Python.

Settings (JSON, the first argument): `protocol`: `http_protobuf` or `grpc`; `endpoint`; `spans`, each with `name`, `kind`
(`server` or `client`), `trace_id` (hex) of a caller that propagated it, else none; `attributes`; `started_ms`, since 1970;
`lasted_ms`; `children`, of the same shape. Ends once everything is flushed.
"""

import json
import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

settings = json.loads(sys.argv[1])
if settings["protocol"] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=settings["endpoint"], insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=settings["endpoint"] + "/v1/traces")

provider = TracerProvider(resource=Resource.create({"service.name": "checkout"}))
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("stories")


def record(span, context=None):
    if "trace_id" in span:
        # As if its caller's headers had been read.
        caller = SpanContext(int(span["trace_id"], 16), 0xC0FFEE, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        context = trace.set_span_in_context(NonRecordingSpan(caller))
    start = span["started_ms"] * 1_000_000
    kind = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}[span["kind"]]
    recorded = tracer.start_span(span["name"], context, kind, span.get("attributes"), start_time=start)
    for child in span.get("children", []):
        record(child, trace.set_span_in_context(recorded))
    recorded.end(start + span["lasted_ms"] * 1_000_000)


for span in settings["spans"]:
    record(span)
flushed = provider.force_flush(30_000)
provider.shutdown()
sys.exit(0 if flushed else 1)
