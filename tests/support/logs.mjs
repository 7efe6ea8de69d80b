// Exports log records with the OpenTelemetry SDK for JavaScript, over HTTP in JSON.
//
// Settings (JSON, the first argument): `endpoint`; `resource`: its attributes; `records`: the lines. Ends once everything is
// flushed.

import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";

const settings = JSON.parse(process.argv[2]);
const provider = new LoggerProvider({
  resource: resourceFromAttributes(settings.resource),
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${settings.endpoint}/v1/logs` }) })],
});
const logger = provider.getLogger("stories");
for (const body of settings.records) logger.emit({ body, severityText: "INFO" });
await provider.forceFlush();
await provider.shutdown();
