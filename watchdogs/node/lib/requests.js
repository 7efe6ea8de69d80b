'use strict';
// The requests that are open, as the main thread knows them, how calls that go out find theirs, and what every wrapper has in
// common.

const { firstLookMs, ID_BYTES_MAX, now } = require('./slots.js');

/** Open calls that are listed of one request; the collector keeps as many. */
const CALLS_MAX = 64;
/** Tracepoints that wait to be told of one request. Those that are too many are left out at the end. */
const TRACEPOINTS_MAX = 64;

/** @typedef {import('./calls.js').Call} Call */
/** @typedef {{ section: string, phase: 'opened' | 'closed', at: number }} Tracepoint */
/** @typedef {'ok' | 'error' | undefined} Outcome */

class Request {
  /**
   * @param {{ slot: number, generation: number }} place
   * @param {() => unknown} input what was asked, sent with `fired`
   */
  constructor(place, input) {
    this.slot = place.slot;
    this.generation = place.generation;
    /** @type {(() => unknown) | undefined} */
    this.input = input;
    this.isOpen = true;
    /** When the handler answered, while something keeps the request open; ms since 1970. */
    this.answeredAt = 0;
    /** @type {Map<object, Call> | null} by the object that stands for the call */
    this.calls = null;
    /** @type {Tracepoint[] | null} */
    this.tracepoints = null;
  }

  /**
   * @param {object} key
   * @param {Call} call
   */
  began(key, call) {
    this.calls ??= new Map();
    if (this.calls.size < CALLS_MAX) this.calls.set(key, call);
  }

  /** @param {object} key */
  ended(key) {
    this.calls?.delete(key);
  }

  /** @returns {Tracepoint[]} those that were not told yet; they count as told now */
  takeTracepoints() {
    const taken = this.tracepoints ?? [];
    this.tracepoints = null;
    return taken;
  }
}

class Requests {
  /**
   * @param {import('./slots.js').Slots} slots
   * @param {{ wake(): void, closed(message: Closed): void }} watcher
   */
  constructor(slots, watcher) {
    this.slots = slots;
    this.watcher = watcher;
    /** @type {(Request | null)[]} */
    this.bySlot = [];
    /** @type {Request | null} the one that is being served, where requests come one at a time */
    this.only = null;
    /** @type {import('node:async_hooks').AsyncLocalStorage<Request> | null} where they do not */
    this.storage = null;
  }

  /**
   * Begins to watch a request.
   *
   * @param {import('./watchdog.js').Profile} profile
   * @param {{ id: string, traceId: string, budgetMs: number, input: () => unknown, method?: string, path?: string }} of
   * @returns {Request | null} null when it is not watched
   */
  open(profile, of) {
    if (!(of.budgetMs >= 2 * profile.marginMs)) {
      const found = Number.isFinite(of.budgetMs) ? `${Math.round(of.budgetMs)} ms` : 'none';
      require('./say.js').sayOnce(`expected at least ${2 * profile.marginMs} ms until the deadline, twice the margin, found ${found}; such requests are not watched`, 'budget');
      return null;
    }
    if (of.id.length * 4 > ID_BYTES_MAX && Buffer.byteLength(of.id) > ID_BYTES_MAX) {
      require('./say.js').sayOnce(`expected a request ID of at most ${ID_BYTES_MAX} bytes, found a longer one; such requests are not watched`);
      return null;
    }
    const startedAt = now();
    const place = this.slots.open({
      startedAt,
      budgetMs: of.budgetMs,
      nearMs: profile.nearMissShare * of.budgetMs,
      marginMs: profile.marginMs,
      profile: profile.number,
      id: of.id,
      traceId: of.traceId,
      method: of.method ?? '',
      path: of.path ?? '',
    });
    if (place === null) {
      require('./say.js').sayOnce('more requests are open at a time than can be watched; some are not');
      return null;
    }
    const request = new Request(place, of.input);
    this.bySlot[place.slot] = request;
    if (this.slots.sleepsBeyond(startedAt + firstLookMs(of.budgetMs))) this.watcher.wake();
    return request;
  }

  /**
   * Ends the watch. Does nothing for a request that has ended.
   *
   * @param {Request} request
   * @param {Outcome} outcome
   */
  close(request, outcome) {
    if (!request.isOpen) return;
    request.isOpen = false;
    this.bySlot[request.slot] = null;
    if (this.only === request) this.only = null;
    if (this.slots.close(request.slot)) {
      const { slot, generation, answeredAt } = request;
      const tracepoints = told(request);
      this.watcher.closed({ slot, generation, outcome, at: answeredAt || Date.now(), tracepoints });
    }
    request.input = undefined;
    request.calls = null;
  }

  /**
   * Runs a handler so that what it calls is known to belong to its request.
   *
   * @template T
   * @param {Request} request
   * @param {() => T} handler
   * @returns {T}
   */
  within(request, handler) {
    this.storage ??= new (require('node:async_hooks').AsyncLocalStorage)();
    return this.storage.run(request, handler);
  }

  /** @returns {Request | null} the request that the code which runs now belongs to; null when that is not known */
  current() {
    const request = this.storage?.getStore() ?? this.only;
    return request?.isOpen ? request : null;
  }

  /**
   * Keeps that a section was entered or left.
   *
   * @param {string} section
   * @param {'opened' | 'closed'} phase
   */
  tracepoint(section, phase) {
    const request = this.current();
    if (request === null) return;
    request.tracepoints ??= [];
    if (request.tracepoints.length < TRACEPOINTS_MAX) request.tracepoints.push({ section, phase, at: Date.now() });
  }
}

/**
 * @typedef {object} Closed
 * @property {number} slot
 * @property {number} generation
 * @property {Outcome} outcome
 * @property {number} at when it answered, ms since 1970
 * @property {ToldTracepoint[]} tracepoints
 */
/** @typedef {{ section: string, phase: 'opened' | 'closed', observed_at: string }} ToldTracepoint */

/**
 * @param {Request} request
 * @returns {ToldTracepoint[]}
 */
function told(request) {
  return request.takeTracepoints().map(({ section, phase, at }) => ({ section, phase, observed_at: new Date(at).toISOString() }));
}

/**
 * Follows a handler's result to its end. What is returned settles as the result does.
 *
 * @param {unknown} result
 * @param {(outcome: 'ok' | 'error') => void} ended
 * @returns {unknown} null when the result is no promise
 */
function followed(result, ended) {
  if (typeof result !== 'object' || result === null || typeof (/** @type {any} */ (result).then) !== 'function') return null;
  // Not a branch beside it: that would count as somebody who handles its failure.
  return /** @type {Promise<unknown>} */ (result).then(
    (value) => {
      ended('ok');
      return value;
    },
    (error) => {
      ended('error');
      throw error;
    },
  );
}

/**
 * A wrapper must not be told apart from what it wraps: runtimes look at the number of parameters (Lambda's takes a handler with
 * three for a callback handler) and at marks on the function (`awslambda.streamifyResponse`).
 *
 * @template {Function} F
 * @param {Function} wrapper
 * @param {F} original
 * @returns {F} the wrapper, with name, length and marks of the original
 */
function like(wrapper, original) {
  for (const key of Reflect.ownKeys(original)) {
    const property = Object.getOwnPropertyDescriptor(original, key);
    const own = Object.getOwnPropertyDescriptor(wrapper, key);
    if (property && key !== 'prototype' && (own === undefined || own.configurable)) Object.defineProperty(wrapper, key, property);
  }
  return /** @type {F} */ (/** @type {unknown} */ (wrapper));
}

/**
 * Has every call that goes out kept with its request, from where Node.js says that something goes out: `diagnostics_channel`
 * (tried on Node.js 18, 20, 22 and 24, November 2026), and around `fetch`, of whose calls the channels do not say which signal
 * they were given.
 *
 * `http.client.request.start` comes when a request has been written, and from 22.12 on `http.client.request.created` before;
 * `net.client.socket` with every socket that `net.connect` makes, before it does anything; `undici:request:create` with every
 * call of `fetch` and of the package `undici`. What they need is loaded with the first call: it is no part of a cold start.
 *
 * @param {Requests} requests
 */
function watchCalls(requests) {
  // Here, where a failure is caught: a bundle that is an ES module has no `require`.
  const diagnostics = require('node:diagnostics_channel');
  for (const name of ['http.client.request.created', 'http.client.request.start']) {
    diagnostics.channel(name).subscribe((message) => {
      const request = requests.current();
      if (request !== null) require('./calls.js').began(/** @type {any} */ (message).request, request);
    });
  }
  diagnostics.channel('net.client.socket').subscribe((message) => {
    const request = requests.current();
    if (request !== null) require('./connects.js').connects.track(/** @type {any} */ (message).socket, request);
  });
  diagnostics.channel('undici:request:create').subscribe((message) => {
    require('./fetch.js').fetches.began(/** @type {any} */ (message).request, requests.current());
  });
  wrapFetch(requests);
  wrapTimeout();
}

/**
 * Has the timeout of every call noted. What `fetch` returns is passed on untouched.
 *
 * @param {Requests} requests
 */
function wrapFetch(requests) {
  const { fetch } = globalThis;
  if (typeof fetch !== 'function') return;
  replace(globalThis, 'fetch', function (/** @type {Parameters<typeof fetch>} */ ...args) {
    try {
      if (requests.current() !== null) require('./fetch.js').fetches.note(timeouts, ...args);
    } catch {
      // It is for `fetch` to complain of what it is given.
    }
    return Reflect.apply(fetch, globalThis, args);
  });
}

/** The timeouts of signals, which do not say them. @type {WeakMap<AbortSignal, number>} */
const timeouts = new WeakMap();

function wrapTimeout() {
  const { timeout } = AbortSignal;
  if (typeof timeout !== 'function') return;
  replace(AbortSignal, 'timeout', function (/** @type {number} */ ms) {
    const signal = Reflect.apply(timeout, AbortSignal, [ms]);
    timeouts.set(signal, Number(ms));
    return signal;
  });
}

/**
 * Replaces a function by another that looks the same.
 *
 * @param {any} owner
 * @param {string} name
 * @param {Function} by
 */
function replace(owner, name, by) {
  const property = Object.getOwnPropertyDescriptor(owner, name);
  const original = owner[name];
  if (property && !property.configurable) return;
  Object.defineProperty(by, 'name', { value: name, configurable: true });
  Object.defineProperty(by, 'length', { value: original.length, configurable: true });
  Object.defineProperty(owner, name, { value: by, writable: true, configurable: true, enumerable: property?.enumerable ?? true });
}

module.exports = { Request, Requests, followed, like, told, watchCalls };
