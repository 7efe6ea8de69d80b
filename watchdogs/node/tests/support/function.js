'use strict';
// A function that gets stuck in every way there is. The line on which it is stuck is marked `stuck:`.

const { execSync } = require('node:child_process');
const dns = require('node:dns');
const http = require('node:http');
const net = require('node:net');
const { lambda, section } = require('../../index.js');

/** @param {number} ms */
const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const word = new Int32Array(new SharedArrayBuffer(4));

/** @param {number} ms */
function busy(ms) {
  const end = Date.now() + ms;
  while (Date.now() < end); // stuck: cpu
}

/** A lock that is taken twice. */
function deadlock() {
  for (let taken = 0; taken < 2; taken += 1) {
    while (Atomics.compareExchange(word, 0, 0, 1) !== 0) Atomics.wait(word, 0, 1); // stuck: deadlock
  }
}

/** The same among promises. */
async function asyncDeadlock() {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  const exclusively = (/** @type {() => Promise<unknown>} */ run) => (last = last.then(run));
  setInterval(() => {}, 1000);
  return exclusively(() => exclusively(async () => 'never'));
}

/** @type {Record<string, (event: any) => unknown>} */
const ways = {
  fast: () => 'done',
  fails: () => Promise.reject(new Error('bad order')),
  sleep: () => after(60_000),
  brief: ({ ms }) => after(ms),
  http: ({ url }) => new Promise((resolve) => http.get(url, resolve)),
  http_timeout: ({ url }) => new Promise((resolve, reject) => http.get(url, { timeout: 30_000 }, resolve).on('error', reject)),
  fetch: ({ url }) => fetch(url),
  fetch_timeout: ({ url }) => fetch(url, { method: 'POST', body: '{}', signal: AbortSignal.timeout(30_000) }),
  socket: ({ port }) => new Promise((resolve) => net.connect(port, '127.0.0.1').on('data', resolve)),
  connect: ({ port }) => new Promise((resolve) => net.connect(port, '127.0.0.1').on('data', resolve)),
  http_connect: ({ port }) => new Promise((resolve) => http.get({ host: '127.0.0.1', port, path: '/charge' }, resolve)),
  dns: ({ server }) => {
    const resolver = new dns.Resolver({ timeout: 30_000 });
    resolver.setServers([server]);
    const lookup = (/** @type {string} */ host, /** @type {unknown} */ _, /** @type {any} */ done) => resolver.resolve4(host, done);
    return new Promise((resolve) => http.get({ host: 'payments.internal', lookup, path: '/charge' }, resolve));
  },
  cpu: () => busy(60_000),
  spin: ({ ms }) => busy(ms),
  regex: () => /(a+)+$/.test('a'.repeat(40) + 'b'), // stuck: regex
  exec: () => execSync('sleep 60'),
  exec_brief: ({ seconds }) => execSync(`sleep ${seconds}`),
  atomics: () => Atomics.wait(word, 0, 0, 60_000), // stuck: atomics
  deadlock,
  async_deadlock: asyncDeadlock,
  never: () => {
    setInterval(() => {}, 1000);
    return new Promise(() => {});
  },
};

/** @param {any} event */
const promise = async (event) => section(event.way, async () => ways[event.way](event));

/**
 * @param {any} event
 * @param {unknown} context
 * @param {(error: unknown, result?: unknown) => void} callback
 */
function callback(event, context, callback) {
  // Left open: what the runtime waits for.
  const left = setInterval(() => {}, 1000);
  setTimeout(() => callback(null, 'done'), 20);
  if (event.ms) setTimeout(() => clearInterval(left), event.ms);
}

/**
 * @param {any} event
 * @param {import('node:stream').Writable} stream
 */
async function stream(event, stream) {
  stream.write('begun ');
  setTimeout(() => stream.end('done'), event.ms);
}

/** @type {Record<string, Function>} */
const kinds = { promise, callback, stream: process.env.KIND === 'stream' ? awslambda.streamifyResponse(stream) : stream };
const handler = kinds[process.env.KIND ?? 'promise'];
exports.handler = process.env.BARE ? handler : lambda(handler);
