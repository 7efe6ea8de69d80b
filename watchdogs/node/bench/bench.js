'use strict';
// What the watchdog costs, paired with the bare handler in the same run: `npm run bench`.
//
// A request: many calls of an empty asynchronous handler, bare and watched in turn, in blocks; the median of the differences.
// A cold start: processes that load a handler, bare and watched in turn; the processor time of their main thread from before
// it is loaded until a moment after one request was answered, and the memory of the process then. `node:http` is there before,
// as it is with Lambda's runtime client and in every server.

const { spawnSync } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const path = require('node:path');

const BLOCKS = 60;
const CALLS = 2000;
const STARTS = 25;
/** Bounds from the issue; the exit status tells whether they hold. */
const REQUEST_US_MAX = 10;
const START_MS_MAX = 15;

/** @param {number[]} values */
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
/** @param {number} index */
const context = (index) => {
  const deadline = Date.now() + 3000;
  return { awsRequestId: `6f747a63-ce41-11e7-8cfe-${index}`, getRemainingTimeInMillis: () => deadline - Date.now() };
};
const bare = async (/** @type {unknown} */ event, /** @type {unknown} */ _) => event;

/**
 * @param {(event: unknown, context: any) => Promise<unknown>} handler
 * @returns {Promise<number>} µs a call
 */
async function block(handler) {
  const began = process.hrtime.bigint();
  for (let call = 0; call < CALLS; call += 1) await handler({ call }, context(call));
  return Number(process.hrtime.bigint() - began) / 1e3 / CALLS;
}

async function request() {
  const { lambda, watch } = require('../index.js');
  const wrapped = { lambda: lambda(bare), watch: watch(bare, { limitMs: 3000 }) };
  for (const [name, handler] of Object.entries(wrapped)) {
    const differences = [];
    const costs = [];
    for (let count = 0; count < BLOCKS; count += 1) {
      const without = await block(bare);
      const cost = await block(handler);
      differences.push(cost - without);
      costs.push(without);
    }
    const extra = median(differences);
    console.log(`${name}: ${extra.toFixed(2)} µs a request on top of ${median(costs).toFixed(2)} µs (median of ${BLOCKS} pairs of ${CALLS})`);
    if (extra > REQUEST_US_MAX) process.exitCode = 1;
  }
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/** @returns {number} ms that this thread has been on a processor */
function onProcessorMs() {
  // Linux adds up what runs when its tick comes, every 4 ms, or when it stops: so it stops.
  Atomics.wait(cell, 0, 0, 2);
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
}

/** In a process of its own: loads, answers one request, and says what that took. */
async function start() {
  const before = onProcessorMs();
  const handler = process.argv[3] === 'bare' ? bare : require('../index.js').lambda(bare);
  await handler({}, context(0));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const mainMs = onProcessorMs() - before;
  process.stdout.write(JSON.stringify({ mainMs, rssMb: process.memoryUsage.rss() / 1e6 }));
}

function starts() {
  /** @type {Record<string, { mainMs: number, rssMb: number }[]>} */
  const seen = { bare: [], watched: [] };
  for (let count = 0; count < STARTS; count += 1) {
    for (const kind of Object.keys(seen)) {
      const { stdout } = spawnSync(process.execPath, [__filename, 'start', kind], { encoding: 'utf8' });
      seen[kind].push(JSON.parse(stdout));
    }
  }
  const extra = (/** @type {'mainMs' | 'rssMb'} */ what) => median(seen.watched.map((one, index) => one[what] - seen.bare[index][what]));
  console.log(`cold start: ${extra('mainMs').toFixed(1)} ms of main-thread time (median of ${STARTS} pairs), ${extra('rssMb').toFixed(0)} MB of memory`);
  if (extra('mainMs') > START_MS_MAX) process.exitCode = 1;
}

if (process.argv[2] === 'start') {
  start();
} else {
  // Takes what is sent, which should be no more than the greeting.
  const server = createServer((asked, answer) => asked.resume().on('end', () => answer.writeHead(202).end())).listen(0, '127.0.0.1', async () => {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    process.env.OVERRUN_ENDPOINT = `http://127.0.0.1:${port}`;
    console.log(`Node.js ${process.version}, ${path.basename(__filename)}`);
    await request();
    starts();
    server.close();
    server.closeAllConnections();
  });
}
