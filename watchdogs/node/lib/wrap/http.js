'use strict';
// Express and Fastify: one request of theirs, from its first hook to the end of its response.

const { watchdog } = require('../watchdog.js');
const { hasLimit } = require('./plain.js');

/** @typedef {import('../watchdog.js').Options & { limitMs: number }} HttpOptions */
/** @typedef {import('node:http').IncomingMessage & { originalUrl?: string, body?: unknown }} Incoming */
/** @typedef {import('node:http').ServerResponse} Outgoing */
/** @typedef {(incoming: Incoming, outgoing: Outgoing, next: () => void) => void} Middleware */

/** Where callers, routers and gateways put the ID of a request; the first that is there counts. */
const ID_HEADERS = ['x-request-id', 'x-call-id', 'x-amzn-requestid', 'x-correlation-id'];

const TRACE_DIGITS = 32;

/**
 * Express middleware; `app.use` it before everything that may be slow.
 *
 * @param {HttpOptions} options
 * @returns {Middleware}
 */
function express(options) {
  const begin = beginner(options, 'express');
  return (incoming, outgoing, next) => begin(incoming, outgoing, incoming, next);
}

/**
 * Fastify plugin: `app.register(fastify, { limitMs: 30_000 })`.
 *
 * @param {any} app
 * @param {HttpOptions} options
 * @param {() => void} done
 */
function fastify(app, options, done) {
  const begin = beginner(options, 'fastify');
  app.addHook('onRequest', (/** @type {any} */ request, /** @type {any} */ reply, /** @type {() => void} */ next) => {
    begin(request.raw, reply.raw, request, next);
  });
  done();
}

/**
 * @param {HttpOptions} options
 * @param {string} wrapper
 */
function beginner(options, wrapper) {
  const dog = hasLimit(options?.limitMs, wrapper) ? watchdog(options, options.limitMs) : null;

  /**
   * @param {Incoming} incoming
   * @param {Outgoing} outgoing
   * @param {{ body?: unknown }} parsed what has the body once it is parsed
   * @param {() => void} next
   */
  return (incoming, outgoing, parsed, next) => {
    if (dog === null) return next();
    const request = open(dog, incoming, parsed);
    if (request === null) return next();
    // Comes after the last byte, and when the client has hung up.
    outgoing.once('close', () => {
      const isOk = outgoing.writableFinished && outgoing.statusCode < 500;
      dog.requests.close(request, isOk ? 'ok' : 'error');
    });
    return dog.requests.within(request, next);
  };

  /**
   * @param {NonNullable<typeof dog>} dog
   * @param {Incoming} incoming
   * @param {{ body?: unknown }} parsed
   */
  function open(dog, incoming, parsed) {
    try {
      const names = { id: id(incoming), traceId: trace(incoming), method: incoming.method, path: path(incoming) };
      const of = { ...names, budgetMs: options.limitMs, input: () => input(incoming, parsed) };
      return dog.requests.open(dog.profile, of);
    } catch (error) {
      require('../say.js').sayOnce(`could not watch a request: ${error instanceof Error ? error.message : error}`);
      return null;
    }
  }
}

/**
 * What is sent as the input of a request. Read when it is needed: bodies are parsed later than the watch begins.
 *
 * @param {Incoming} incoming
 * @param {{ body?: unknown }} parsed
 */
function input(incoming, parsed) {
  const { method, headers } = incoming;
  return { method, url: path(incoming), headers, body: parsed.body };
}

/**
 * @param {Incoming} incoming
 * @returns {string | undefined} as it was asked for; routers shorten `url`
 */
function path({ originalUrl, url }) {
  return originalUrl ?? url;
}

/** @param {Incoming} incoming */
function id(incoming) {
  for (const name of ID_HEADERS) {
    const value = incoming.headers[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return '';
}

/**
 * @param {Incoming} incoming
 * @returns {string} the trace ID of a `traceparent` (W3C), or nothing
 */
function trace(incoming) {
  const parent = incoming.headers.traceparent;
  const id = typeof parent === 'string' ? parent.split('-')[1] : undefined;
  return id?.length === TRACE_DIGITS ? id : '';
}

module.exports = { express, fastify };
