// Exports spans with the OpenTelemetry SDK for JavaScript.
//
// Settings (JSON, the first argument) as for spans.py; `protocol`: `http_json`, `http_protobuf` or `grpc`. Ends once
// everything is flushed.

import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const settings = JSON.parse(process.argv[2]);
const modules = { http_json: "http", http_protobuf: "proto", grpc: "grpc" };
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${modules[settings.protocol]}`);
const url = settings.protocol === "grpc" ? settings.endpoint : `${settings.endpoint}/v1/traces`;

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "checkout" }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url }))],
});
const tracer = provider.getTracer("stories");

function record(span, context) {
  if (span.trace_id) {
    // As if its caller's headers had been read.
    const caller = { traceId: span.trace_id, spanId: "0000000000c0ffee", traceFlags: TraceFlags.SAMPLED, isRemote: true };
    context = trace.setSpanContext(ROOT_CONTEXT, caller);
  }
  // A number would be taken for time since the process began.
  const at = (ms) => new Date(span.started_ms + ms);
  const kind = { server: SpanKind.SERVER, client: SpanKind.CLIENT }[span.kind];
  const recorded = tracer.startSpan(span.name, { kind, attributes: span.attributes, startTime: at(0) }, context);
  for (const child of span.children ?? []) record(child, trace.setSpan(context, recorded));
  recorded.end(at(span.lasted_ms));
}

for (const span of settings.spans) record(span, ROOT_CONTEXT);
await provider.forceFlush();
await provider.shutdown();
