'use strict';
// AWS Lambda: handlers that return a promise, that call back, and that stream. The context states the deadline.

const { followed, like } = require('../requests.js');
const { watchdog } = require('../watchdog.js');

/** @typedef {import('../requests.js').Request} Request */
/** @typedef {import('../requests.js').Requests} Requests */
/** @typedef {import('../requests.js').Outcome} Outcome */
/**
 * @typedef {object} Context
 * @property {string} awsRequestId
 * @property {() => number} getRemainingTimeInMillis
 * @property {boolean} [callbackWaitsForEmptyEventLoop]
 * @property {Function} [done]
 * @property {Function} [succeed]
 * @property {Function} [fail]
 */

/**
 * Watches a handler.
 *
 * @template {Function} F
 * @param {F} handler
 * @param {import('../watchdog.js').Options} [options]
 * @returns {F} a handler that behaves as the one given
 */
function lambda(handler, options = {}) {
  if (typeof handler !== 'function') {
    require('../say.js').sayOnce(`expected a handler to be a function, found ${typeof handler}; it is not watched`);
    return handler;
  }
  const dog = watchdog({ platform: 'aws_lambda', ...options });
  if (dog === null) return handler;
  // More than one request at a time in one process: only then it costs something to know whose call is whose.
  const isConcurrent = Number(process.env.AWS_LAMBDA_MAX_CONCURRENCY) > 1;
  const { requests, profile } = dog;
  closeWhenLoopIsEmpty(requests);

  /**
   * @this {unknown}
   * @param {unknown[]} args
   */
  const wrapper = function (...args) {
    const context = /** @type {Context | undefined} */ (args.find(isContext));
    // The one before has ended, even if it did so by a way that we do not see.
    if (!isConcurrent && requests.only !== null) requests.close(requests.only, undefined);
    const request = context && open(requests, profile, () => args[0], context);
    if (!request) return Reflect.apply(handler, this, args);
    const call = () => Reflect.apply(handler, this, watched(requests, request, context, args));
    if (!isConcurrent) requests.only = request;
    try {
      const result = isConcurrent ? requests.within(request, call) : call();
      // Without a promise it calls back later, or the runtime takes an empty loop for its end.
      return followed(result, (outcome) => settled(requests, request, args, outcome)) ?? result;
    } catch (error) {
      requests.close(request, 'error');
      throw error;
    }
  };
  return like(wrapper, handler);
}

/** @param {unknown} value */
function isContext(value) {
  return typeof (/** @type {Partial<Context> | null | undefined} */ (value)?.getRemainingTimeInMillis) === 'function';
}

/**
 * @param {Requests} requests
 * @param {import('../watchdog.js').Profile} profile
 * @param {() => unknown} input
 * @param {Context} context
 */
function open(requests, profile, input, context) {
  try {
    const id = typeof context.awsRequestId === 'string' ? context.awsRequestId : '';
    return requests.open(profile, { id, traceId: xray(process.env._X_AMZN_TRACE_ID), budgetMs: context.getRemainingTimeInMillis(), input });
  } catch (error) {
    require('../say.js').sayOnce(`could not watch a request: ${error instanceof Error ? error.message : error}`);
    return null;
  }
}

/**
 * @param {string | undefined} header `Root=1-…;Parent=…;Sampled=1`
 * @returns {string} the trace ID, or nothing
 */
function xray(header) {
  const ROOT_CHARS = 35;
  if (!header?.startsWith('Root=')) return '';
  const end = header.indexOf(';');
  return header.slice(5, Math.min(end === -1 ? header.length : end, 5 + ROOT_CHARS));
}

/**
 * The arguments for the handler, with its ways of calling back watched.
 *
 * @param {Requests} requests
 * @param {Request} request
 * @param {Context} context
 * @param {unknown[]} args
 */
function watched(requests, request, context, args) {
  for (const way of /** @type {const} */ (['done', 'succeed', 'fail'])) {
    const original = context[way];
    if (typeof original !== 'function') continue;
    context[way] = function (/** @type {unknown[]} */ ...given) {
      requests.close(request, way === 'fail' || (way === 'done' && given[0]) ? 'error' : 'ok');
      return Reflect.apply(original, this, given);
    };
  }
  const at = args.lastIndexOf(context) + 1;
  const callback = args[at];
  if (typeof callback !== 'function') return args;
  const answer = function (/** @type {unknown[]} */ ...given) {
    answered(requests, request, context, given[0] ? 'error' : 'ok');
    return Reflect.apply(callback, undefined, given);
  };
  return [...args.slice(0, at), answer, ...args.slice(at + 1)];
}

/**
 * The handler has called back. Unless it said otherwise, the runtime hands the answer on only when the loop is empty.
 *
 * @param {Requests} requests
 * @param {Request} request
 * @param {Context} context
 * @param {'ok' | 'error'} outcome
 */
function answered(requests, request, context, outcome) {
  if (outcome === 'error' || context.callbackWaitsForEmptyEventLoop === false) {
    requests.close(request, outcome);
    return;
  }
  request.answeredAt ||= Date.now();
}

/** @type {WeakSet<Requests>} */
const listening = new WeakSet();

/**
 * With an empty loop every request is over: the runtime hands the answer on, or the process ends.
 *
 * @param {Requests} requests
 */
function closeWhenLoopIsEmpty(requests) {
  if (listening.has(requests)) return;
  listening.add(requests);
  process.on('beforeExit', () => {
    if (requests.only !== null) requests.close(requests.only, requests.only.answeredAt === 0 ? undefined : 'ok');
  });
}

/**
 * The handler's promise has settled. A streamed answer goes on until its stream has ended.
 *
 * @param {Requests} requests
 * @param {Request} request
 * @param {unknown[]} args
 * @param {'ok' | 'error'} outcome
 */
function settled(requests, request, args, outcome) {
  const stream = /** @type {import('node:stream').Writable | undefined} */ (args.slice(1).find(isStream));
  if (outcome === 'error' || stream === undefined || stream.writableFinished || stream.destroyed) {
    requests.close(request, outcome);
    return;
  }
  const close = () => requests.close(request, outcome);
  stream.once('finish', close).once('close', close);
}

/** @param {unknown} value */
function isStream(value) {
  const stream = /** @type {Partial<import('node:stream').Writable> | null} */ (value);
  return typeof stream?.write === 'function' && typeof stream.once === 'function';
}

module.exports = { lambda };
