// Logs lines through winston's Loki transport, which pushes them as protobuf compressed with snappy.
//
// Settings (JSON, the first argument): `endpoint`, `labels`, `lines`. Writes {"content_type"} once they are flushed.

import { format, createLogger } from "winston";
import LokiTransport from "winston-loki";

const settings = JSON.parse(process.argv[2]);
const loki = new LokiTransport({
  host: settings.endpoint,
  labels: settings.labels,
  batching: false,
  gracefulShutdown: false,
  format: format.printf(({ message }) => message),
  onConnectionError: (error) => {
    console.error(error);
    process.exitCode = 1;
  },
});
const logger = createLogger({ transports: [loki] });
for (const line of settings.lines) logger.info(line);
await loki.flush();
console.log(JSON.stringify({ content_type: loki.batcher.contentType }));
