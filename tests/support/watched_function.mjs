// A function with the SDK of watchdogs/node, as a Lambda runtime would call it: once for each line of standard input,
// {"request_id": …, "way": "blocks" | "ends", "limit_ms": …}. A blocked one is still blocked when it is killed.

import { createInterface } from 'node:readline';

const settings = JSON.parse(process.argv[2]);
process.env.OVERRUN_ENDPOINT = settings.endpoint;
process.env.AWS_LAMBDA_FUNCTION_NAME = 'checkout';
// Wide, for machines with more to do than they can.
process.env.OVERRUN_MARGIN_MS = '1400';
const { lambda } = await import('../../watchdogs/node/index.mjs');

function reconcileEveryOrder(until) {
  while (Date.now() < until);
}

const ways = {
  blocks: () => reconcileEveryOrder(Date.now() + 60_000),
  ends: (limitMs) => new Promise((resolve) => setTimeout(resolve, limitMs - 300)),
};
const handler = lambda(async (event) => ways[event.way](event.limit_ms));

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const event = JSON.parse(line);
  const deadline = Date.now() + event.limit_ms;
  await handler(event, { awsRequestId: event.request_id, getRemainingTimeInMillis: () => deadline - Date.now() });
  console.log(JSON.stringify({ ended: event.request_id }));
}
