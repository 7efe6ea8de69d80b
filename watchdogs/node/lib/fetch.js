'use strict';
// Open calls made with `fetch`, and with the package `undici`, which both publish on `diagnostics_channel`
// (https://undici.nodejs.org, page "Diagnostics Channel Support", read November 2026).
//
// What is published does not say which signal a `fetch` was given. So `fetch` is wrapped to note its timeout, and
// `AbortSignal.timeout` to remember that of a signal. What they return is passed on untouched.

const diagnostics = require('node:diagnostics_channel');

/** @typedef {{ origin?: string | URL, method?: string, path?: string, headersTimeout?: number | null }} Sent */
/** @typedef {{ connectParams: { protocol?: string, host?: string, hostname?: string } }} Connecting */

/** Timeouts that are noted for calls which undici has not announced yet. */
const NOTED_MAX = 64;

/** @param {import('./requests.js').Requests} requests */
function watchFetch(requests) {
  const noted = new Noted();
  noted.wrap();
  /** Origins that a connection is being made to. @type {Map<string, string>} */
  const connecting = new Map();
  on('undici:request:create', ({ request: sent }) => {
    const request = requests.current();
    if (request === null) return;
    const startedAt = Date.now();
    const origin = String(sent.origin);
    const timeout = noted.take(origin, sent);
    request.began(sent, { describe: () => describe(sent, startedAt, timeout, connecting) });
    ended.set(sent, request);
  });
  /** @type {WeakMap<object, import('./requests.js').Request>} */
  const ended = new WeakMap();
  const over = (/** @type {{ request: Sent }} */ { request: sent }) => ended.get(sent)?.ended(sent);
  on('undici:request:trailers', over);
  on('undici:request:error', over);
  const key = (/** @type {Connecting} */ { connectParams: to }) => `${to.protocol}//${to.host}`;
  on('undici:client:beforeConnect', (message) => connecting.size < NOTED_MAX && connecting.set(key(message), String(message.connectParams.hostname)));
  on('undici:client:connected', (message) => connecting.delete(key(message)));
  on('undici:client:connectError', (message) => connecting.delete(key(message)));
}

/**
 * @param {string} name
 * @param {(message: any) => void} listener
 */
function on(name, listener) {
  diagnostics.channel(name).subscribe(listener);
}

/**
 * @param {Sent} sent
 * @param {number} startedAt
 * @param {number | null | undefined} noted
 * @param {Map<string, string>} connecting
 * @returns {import('./calls.js').OpenCall}
 */
function describe(sent, startedAt, noted, connecting) {
  const origin = String(sent.origin);
  const host = connecting.get(origin);
  const { activeRequests } = require('./connects.js');
  const resolves = host !== undefined && activeRequests('GetAddrInfoReqWrap').some(({ hostname }) => hostname === host);
  const phase = host === undefined ? undefined : resolves ? 'dns' : 'connect';
  // undici's own default (300 s until the headers) was set by nobody, and is longer than most limits: it is not counted.
  const clientTimeoutMs = noted === undefined ? sent.headersTimeout || undefined : noted;
  return { operation: phase ?? sent.method ?? 'GET', target: hostOf(origin), startedAt, clientTimeoutMs };
}

/** @param {string} origin */
function hostOf(origin) {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

/** The timeouts of calls to `fetch` between the call and undici's announcement of it. */
class Noted {
  constructor() {
    /** @type {WeakMap<AbortSignal, number>} */
    this.signals = new WeakMap();
    /** @type {{ key: string, timeoutMs: number | null | undefined }[]} */
    this.waiting = [];
  }

  /** Puts itself in front of the global functions. */
  wrap() {
    const { signals } = this;
    const note = this.note.bind(this);
    const [timeout, fetch] = [AbortSignal.timeout, globalThis.fetch];
    if (typeof timeout === 'function') {
      replace(AbortSignal, 'timeout', function (/** @type {number} */ ms) {
        const signal = Reflect.apply(timeout, AbortSignal, [ms]);
        signals.set(signal, Number(ms));
        return signal;
      });
    }
    if (typeof fetch !== 'function') return;
    replace(globalThis, 'fetch', function (/** @type {Parameters<typeof fetch>} */ ...args) {
      try {
        note(...args);
      } catch {
        // It is for `fetch` to complain of what it is given.
      }
      return Reflect.apply(fetch, globalThis, args);
    });
  }

  /**
   * @param {string | URL | globalThis.Request} input
   * @param {RequestInit} [init]
   */
  note(input, init) {
    const asked = typeof input === 'object' && 'url' in input ? input : undefined;
    const url = new URL(asked ? asked.url : String(input));
    const method = (init?.method ?? asked?.method ?? 'GET').toUpperCase();
    // A `Request` always has a signal; whether it was given one does not show.
    const signal = init?.signal ?? undefined;
    const timeoutMs = signal === undefined ? (asked ? undefined : null) : this.signals.get(signal);
    if (this.waiting.length >= NOTED_MAX) this.waiting.shift();
    this.waiting.push({ key: `${method} ${url.origin}${url.pathname}${url.search}`, timeoutMs });
  }

  /**
   * @param {string} origin
   * @param {Sent} sent
   * @returns {number | null | undefined}
   */
  take(origin, sent) {
    const key = `${sent.method} ${origin}${sent.path}`;
    const at = this.waiting.findIndex((one) => one.key === key);
    return at === -1 ? undefined : this.waiting.splice(at, 1)[0].timeoutMs;
  }
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

module.exports = { watchFetch };
