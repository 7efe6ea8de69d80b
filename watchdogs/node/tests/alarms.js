'use strict';
// No false alarm: `npm run alarms`. 100,000 fast requests tell nothing, and requests that end within the margin tell that
// they ended.

const { fork } = require('node:child_process');
const { Collector } = require('./support/collector.js');

const FAST = 100_000;
const WITHIN_MARGIN = 400;
const LIMIT_MS = 4000;

/**
 * @param {{ fast: number, withinMargin: number }} counts
 * @returns {Promise<string[]>} what is wrong
 */
async function alarms({ fast, withinMargin }) {
  const collector = await Collector.start();
  const env = { ...process.env, OVERRUN_ENDPOINT: collector.url };
  const child = fork(__filename, ['requests', String(fast), String(withinMargin)], { env });
  await new Promise((resolve) => child.once('exit', resolve));
  const ids = Array.from({ length: withinMargin }, (_, n) => `slow-${n}`);
  const wrong = collector.events.filter(({ request_id }) => request_id.startsWith('fast')).map(({ kind, request_id }) => `${kind} for ${request_id}`);
  for (const id of ids) {
    const events = collector.of(id);
    const kinds = events.map(({ kind }) => kind).sort();
    if (!kinds.includes('fired') || kinds.at(0) !== 'closed' || kinds.at(1) === 'closed') wrong.push(`${id}: ${kinds}`);
    if (events.some(({ left_ms }) => left_ms < 0)) wrong.push(`${id}: negative left_ms`);
  }
  collector.stop();
  return wrong;
}

/**
 * In a process of its own, as functions are.
 *
 * @param {number} fast
 * @param {number} withinMargin
 */
async function requests(fast, withinMargin) {
  const { lambda, watch } = require('../index.js');
  const handler = lambda(async (/** @type {number} */ n, /** @type {any} */ _) => n);
  for (let n = 0; n < fast; n += 1) {
    // With deadlines from far to near: the watcher's timer is set anew all the time.
    const deadline = Date.now() + 1100 + (n % 7) * 300;
    await handler(n, { awsRequestId: `fast-${n}`, getRemainingTimeInMillis: () => deadline - Date.now() });
    if (n % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const slow = watch((/** @type {string} */ id, /** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms, id)), {
    limitMs: LIMIT_MS,
    marginMs: 1600,
    requestId: (id) => id,
  });
  await Promise.all(Array.from({ length: withinMargin }, (_, n) => slow(`slow-${n}`, LIMIT_MS - 1000 + (n % 100) * 2)));
  process.disconnect();
}

if (process.argv[2] === 'requests') {
  requests(Number(process.argv[3]), Number(process.argv[4]));
} else if (require.main === module) {
  alarms({ fast: FAST, withinMargin: WITHIN_MARGIN }).then((wrong) => {
    console.log(wrong.length === 0 ? `no false alarm in ${FAST} fast requests, ${WITHIN_MARGIN} ended within the margin` : wrong.slice(0, 20).join('\n'));
    process.exitCode = wrong.length === 0 ? 0 : 1;
  });
}

module.exports = { alarms };
