'use strict';
// Connections that have not come up: a hung connect or name look-up is told apart from a server that does not answer.
//
// Handed in by `requests.js` and `calls.js`, before a socket does anything.

const { isIP } = require('node:net');

/** Sockets that are remembered at a time. */
const SOCKETS_MAX = 256;

/**
 * @typedef {object} Connect
 * @property {number} startedAt ms since 1970
 * @property {boolean} resolved whether its name has been looked up
 * @property {import('./requests.js').Request} request
 */

class Connects {
  constructor() {
    /** @type {Map<import('node:net').Socket, Connect>} */
    this.open = new Map();
  }

  /**
   * @param {import('node:net').Socket} socket
   * @param {import('./requests.js').Request} request
   */
  track(socket, request) {
    if (this.open.has(socket) || this.open.size >= SOCKETS_MAX) return;
    const connect = { startedAt: Date.now(), resolved: false, request };
    this.open.set(socket, connect);
    const done = () => this.open.delete(socket);
    socket.once('lookup', () => (connect.resolved = true));
    socket.once('connect', done);
    socket.once('close', done);
  }

  /**
   * What a socket is at before its connection is up.
   *
   * @param {import('node:net').Socket & { _host?: string | null }} socket
   * @returns {'dns' | 'connect' | null} null when it is connected
   */
  phase(socket) {
    if (!socket.connecting) return null;
    const host = socket._host;
    const resolves = typeof host === 'string' && isIP(host) === 0 && this.open.get(socket)?.resolved === false;
    return resolves ? 'dns' : 'connect';
  }

  /**
   * Sockets of a request that belong to no call known otherwise.
   *
   * @param {import('./requests.js').Request} request
   * @param {Set<unknown>} known sockets of its calls
   * @returns {import('./calls.js').OpenCall[]}
   */
  of(request, known) {
    const open = [];
    for (const [socket, connect] of this.open) {
      const operation = connect.request === request && !known.has(socket) ? this.phase(socket) : null;
      const target = /** @type {{ _host?: string | null }} */ (socket)._host ?? onlyAddress();
      if (operation !== null) open.push({ operation, target, startedAt: connect.startedAt });
    }
    return open;
  }
}

/**
 * The address that the process is connecting to, if it is only one: a socket that was given an address does not say it.
 *
 * @returns {string | undefined}
 */
function onlyAddress() {
  const addresses = new Set(activeRequests('TCPConnectWrap').map(({ address, port }) => `${address}:${port}`));
  return addresses.size === 1 ? [...addresses][0] : undefined;
}

/** @typedef {{ address?: string, port?: number, hostname?: string }} ActiveRequest */

/**
 * What the process has asked of the operating system, by kind. Not documented; the same in Node.js 18 to 24.
 *
 * @param {string} kind
 * @returns {ActiveRequest[]}
 */
function activeRequests(kind) {
  const all = /** @type {{ _getActiveRequests?(): ActiveRequest[] }} */ (/** @type {unknown} */ (process))._getActiveRequests?.() ?? [];
  return all.filter((one) => one.constructor.name === kind);
}

/** Those of this process. */
const connects = new Connects();

module.exports = { connects, activeRequests };
