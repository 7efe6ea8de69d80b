'use strict';
// Where Node.js says that something goes out: `diagnostics_channel` (tried on Node.js 18, 20, 22 and 24, November 2026), and
// around `fetch`, of whose calls the channels do not say which signal they were given.
//
// `http.client.request.start` comes when a request has been written, and from 22.12 on `http.client.request.created` before;
// `net.client.socket` with every socket that `net.connect` makes, before it does anything; `undici:request:create` with every
// call of `fetch` and of the package `undici`. What they need is loaded with the first call: it is no part of a cold start.

const diagnostics = require('node:diagnostics_channel');

/** @param {import('./requests.js').Requests} requests */
function watchCalls(requests) {
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
 * @param {import('./requests.js').Requests} requests
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

module.exports = { watchCalls };
