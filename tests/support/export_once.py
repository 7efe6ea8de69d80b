"""Calls OTLP's gRPC service once, with the stub that OpenTelemetry generates for Python, and says what it answered.

Settings (JSON, the first argument): `endpoint`, `request_id`, `padding_bytes` to make it that large. Writes {"code", "details", "retry_after_ms"}; the last is null
unless the status says when to come again.
"""

import json
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

settings = json.loads(sys.argv[1])
request = ExportTraceServiceRequest()
span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, name="handler", kind=2)
span.start_time_unix_nano, span.end_time_unix_nano = 1795213413_000000000, 1795213414_000000000
attribute = span.attributes.add(key="faas.invocation_id")
attribute.value.string_value = settings["request_id"]
if "padding_bytes" in settings:
    span.attributes.add(key="padding").value.string_value = "x" * settings["padding_bytes"]

stub = TraceServiceStub(grpc.insecure_channel(settings["endpoint"].removeprefix("http://")))
said = {"code": "OK", "details": "", "retry_after_ms": None}
try:
    stub.Export(request, timeout=30)
except grpc.RpcError as error:
    said = {"code": error.code().name, "details": error.details(), "retry_after_ms": None}
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                retry = error_details_pb2.RetryInfo()
                if detail.Unpack(retry):
                    said["retry_after_ms"] = retry.retry_delay.ToMilliseconds()
print(json.dumps(said), flush=True)
