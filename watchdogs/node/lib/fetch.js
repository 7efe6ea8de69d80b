'use strict';
// Open calls made with `fetch`, and with the package `undici`, which both publish on `diagnostics_channel`
// (https://undici.nodejs.org, page "Diagnostics Channel Support", read November 2026). `requests.js` loads this with the first.

const diagnostics = require('node:diagnostics_channel');
const { activeRequests } = require('./connects.js');

/** @typedef {{ origin?: string | URL, method?: string, path?: string, headersTimeout?: number | null }} Sent */
/** @typedef {{ connectParams: { protocol?: string, host?: string, hostname?: string } }} Connecting */

/** Timeouts that are noted for calls which undici has not announced yet, and origins that are being connected to. */
const NOTED_MAX = 64;

class Fetches {
  constructor() {
    /** Calls between `fetch` and undici's announcement. @type {{ key: string, timeoutMs: number | null | undefined }[]} */
    this.noted = [];
    /** Origins that a connection is being made to. @type {Map<string, string>} */
    this.connecting = new Map();
    /** @type {WeakMap<object, import('./requests.js').Request>} */
    this.open = new WeakMap();
    this.listen();
  }

  listen() {
    const over = (/** @type {{ request: Sent }} */ { request: sent }) => this.open.get(sent)?.ended(sent);
    on('undici:request:trailers', over);
    on('undici:request:error', over);
    const key = (/** @type {Connecting} */ { connectParams: to }) => `${to.protocol}//${to.host}`;
    on('undici:client:beforeConnect', (/** @type {Connecting} */ message) => {
      if (this.connecting.size < NOTED_MAX) this.connecting.set(key(message), String(message.connectParams.hostname));
    });
    on('undici:client:connected', (message) => this.connecting.delete(key(message)));
    on('undici:client:connectError', (message) => this.connecting.delete(key(message)));
  }

  /**
   * Undici has announced a call. It connects, if it has to, only afterwards.
   *
   * @param {Sent} sent
   * @param {import('./requests.js').Request | null} request
   */
  began(sent, request) {
    if (request === null) return;
    const startedAt = Date.now();
    const timeout = this.take(sent);
    request.began(sent, { describe: () => this.describe(sent, startedAt, timeout) });
    this.open.set(sent, request);
  }

  /**
   * @param {Sent} sent
   * @param {number} startedAt
   * @param {number | null | undefined} noted
   * @returns {import('./calls.js').OpenCall}
   */
  describe(sent, startedAt, noted) {
    const origin = String(sent.origin);
    const host = this.connecting.get(origin);
    const resolves = host !== undefined && activeRequests('GetAddrInfoReqWrap').some(({ hostname }) => hostname === host);
    const phase = host === undefined ? undefined : resolves ? 'dns' : 'connect';
    // undici's own default (300 s until the headers) was set by nobody, and is longer than most limits: it is not counted.
    const clientTimeoutMs = noted === undefined ? sent.headersTimeout || undefined : noted;
    return { operation: phase ?? sent.method ?? 'GET', target: hostOf(origin), startedAt, clientTimeoutMs };
  }

  /**
   * Somebody calls `fetch`.
   *
   * @param {WeakMap<AbortSignal, number>} timeouts
   * @param {string | URL | globalThis.Request} input
   * @param {RequestInit} [init]
   */
  note(timeouts, input, init) {
    const asked = typeof input === 'object' && 'url' in input ? input : undefined;
    const url = new URL(asked ? asked.url : String(input));
    const method = (init?.method ?? asked?.method ?? 'GET').toUpperCase();
    // A `Request` always has a signal; whether it was given one does not show.
    const signal = init?.signal ?? undefined;
    const timeoutMs = signal === undefined ? (asked ? undefined : null) : timeouts.get(signal);
    if (this.noted.length >= NOTED_MAX) this.noted.shift();
    this.noted.push({ key: `${method} ${url.origin}${url.pathname}${url.search}`, timeoutMs });
  }

  /**
   * @param {Sent} sent
   * @returns {number | null | undefined} the timeout that was noted for it; undefined: it is not known
   */
  take(sent) {
    const key = `${sent.method} ${sent.origin}${sent.path}`;
    const at = this.noted.findIndex((one) => one.key === key);
    return at === -1 ? undefined : this.noted.splice(at, 1)[0].timeoutMs;
  }
}

/**
 * @param {string} name
 * @param {(message: any) => void} listener
 */
function on(name, listener) {
  diagnostics.channel(name).subscribe(listener);
}

/** @param {string} origin */
function hostOf(origin) {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

/** Those of this process. */
const fetches = new Fetches();

module.exports = { fetches };
