// The receiver of webhook_receiver.py as a user of Node.js would write it: Standard Webhooks' own library checks the
// signature, CloudEvents' own library reads the event.
//
// Settings (JSON, the first argument): `port`, `secret`. Writes {"listening": true}, then one object per request.

import { createServer } from "node:http";

import { HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";

const settings = JSON.parse(process.argv[2]);
const say = (value) => console.log(JSON.stringify(value));

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString("utf8");
  const said = { path: request.url, headers: request.headers };
  try {
    new Webhook(settings.secret).verify(body, request.headers);
    const event = HTTP.toEvent({ headers: request.headers, body });
    event.validate();
    said.event = event.toJSON();
  } catch (error) {
    said.refused = String(error);
  }
  say(said);
  response.writeHead("refused" in said ? 400 : 204).end();
});
server.listen(settings.port, "127.0.0.1", () => say({ listening: true }));
