'use strict';
// Real Express and Fastify applications.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, describe, it } = require('node:test');
const { Collector } = require('./support/collector.js');
const { stuck } = require('./support/stuck.js');

/** Told of after 4 s and not before; whoever is told of ends then, whatever else the machine has to do. */
const LIMITS = { limitMs: 8000, marginMs: 4000, nearMissShare: 1, name: 'shop', platform: 'cloud_run' };

/**
 * @param {number} port
 * @param {string} path
 * @param {Record<string, string>} headers
 * @returns {Promise<number>}
 */
function ask(port, path, headers) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, path, method: 'POST', agent: false, headers: { 'content-type': 'application/json', ...headers } }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    request.on('error', reject).end(JSON.stringify({ card: '4111 1111 1111 1111', order: 7 }));
  });
}

describe('a server', () => {
  /** @type {{ collector: Collector, stuck: import('./support/cases.js').Stuck, watchdog: typeof import('../index.js') }} */
  let around;
  before(async () => {
    const collector = await Collector.start();
    process.env.OVERRUN_ENDPOINT = collector.url;
    process.env.OVERRUN_REDACT = 'order';
    around = { collector, stuck: await stuck(), watchdog: require('../index.js') };
  });
  after(() => {
    around.collector.stop();
    around.stuck.stop();
  });

  /**
   * Until a request has been told of, with what it had open.
   *
   * @param {{ headers: http.IncomingHttpHeaders }} request
   */
  const fired = ({ headers }) =>
    around.collector.event(({ kind, request_id, in_flight }) => kind === 'fired' && request_id === headers['x-request-id'] && in_flight);

  /**
   * Waits for another server that long.
   *
   * @param {{ headers: http.IncomingHttpHeaders }} request
   */
  async function wait(request) {
    const call = http.get(around.stuck.url, { timeout: 19_000 }).on('error', () => {});
    await fired(request);
    call.destroy();
  }

  /**
   * @param {number} port
   * @param {string} prefix
   */
  async function check(port, prefix) {
    const { collector } = around;
    const send = (/** @type {string} */ path, /** @type {string} */ id) =>
      ask(port, path, { 'x-request-id': `${prefix}-${id}`, authorization: 'Bearer abc', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
    const fast = Array.from({ length: 20 }, (_, n) => send('/fast', `fast-${n}`));
    const statuses = await Promise.all([...fast, send('/slow?token=abc', 'slow'), send('/idle', 'idle'), send('/fails', 'fails')]);
    assert.deepEqual(statuses.slice(-4), [200, 200, 200, 500]);
    for (const id of ['slow', 'idle', 'fails']) await collector.event(({ kind, request_id }) => kind === 'closed' && request_id === `${prefix}-${id}`);
    assert.ok(!collector.events.some(({ request_id }) => request_id.startsWith(`${prefix}-fast`)));
    const seen = (/** @type {string} */ id) => collector.of(`${prefix}-${id}`).find(({ kind, in_flight }) => kind === 'fired' && in_flight);
    const slow = seen('slow');
    assert.deepEqual([slow?.function, slow?.platform, slow?.limit_ms, slow?.trace_id], ['shop', 'cloud_run', 8000, '4bf92f3577b34da6a3ce929d0e0e4736']);
    assert.deepEqual(slow?.in_flight.map((/** @type {any} */ call) => [call.operation, call.client_timeout_ms]), [['GET', 19_000]]);
    assert.deepEqual(seen('idle')?.in_flight, [], 'a call of another request is not its own');
    const told = collector.of(`${prefix}-slow`).map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual([...new Set(told)], ['POST /slow?token=[redacted]'], 'each of its events says what was asked for');
    assert.equal(slow?.original_event.url, '/slow?token=[redacted]');
    assert.equal(slow?.original_event.headers.authorization, '[redacted]');
    assert.deepEqual(slow?.original_event.body, { card: '[redacted]', order: '[redacted]' });
    const ending = (/** @type {string} */ id) => collector.of(`${prefix}-${id}`).find(({ kind }) => kind === 'closed')?.outcome;
    assert.deepEqual(['slow', 'fails'].map(ending), ['ok', 'error']);
  }

  it('made with Express tells of its slow requests only', async () => {
    const express = require('express');
    const app = express();
    app.use(around.watchdog.express(LIMITS));
    app.use(express.json());
    app.post('/fast', (_, answer) => void answer.send('done'));
    app.post('/slow', async (asked, answer) => void answer.send(await wait(asked).then(() => 'done')));
    app.post('/idle', async (asked, answer) => void answer.send(await fired(asked).then(() => 'done')));
    app.post('/fails', async (asked, answer) => void answer.status(500).send(await fired(asked).then(() => 'failed')));
    const server = await new Promise((/** @type {(server: http.Server) => void} */ resolve) => {
      const server = app.listen(0, () => resolve(server));
    });
    await check(/** @type {import('node:net').AddressInfo} */ (server.address()).port, 'express');
    server.close();
  });

  it('made with Fastify tells of its slow requests only', async () => {
    const app = require('fastify')();
    await app.register(around.watchdog.fastify, LIMITS);
    app.post('/fast', async () => 'done');
    app.post('/slow', async (asked) => wait(asked).then(() => 'done'));
    app.post('/idle', async (asked) => fired(asked).then(() => 'done'));
    app.post('/fails', async (asked, reply) => reply.code(500).send(await fired(asked).then(() => 'failed')));
    await app.listen({ port: 0 });
    await check(/** @type {import('node:net').AddressInfo} */ (app.server.address()).port, 'fastify');
    await app.close();
  });
});
