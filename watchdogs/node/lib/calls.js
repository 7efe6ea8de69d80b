'use strict';
// Open calls made with `http` and `https`, and so with most client libraries.

const { connects } = require('./connects.js');

/**
 * @typedef {object} OpenCall
 * @property {string} operation
 * @property {string | undefined} target
 * @property {number} startedAt ms since 1970: the same in every event that tells of it
 * @property {number | null} [clientTimeoutMs] null: none is set; undefined: not known
 */
/** @typedef {{ describe(): OpenCall, socket?(): unknown }} Call */
/** @typedef {import('node:http').ClientRequest & { timeout?: number, agent?: import('node:http').Agent & { options?: { timeout?: number } }, socket?: import('node:net').Socket }} Sent */

/**
 * @param {Sent} sent
 * @param {import('./requests.js').Request} request
 */
function began(sent, request) {
  if (request.calls?.has(sent)) return;
  const startedAt = Date.now();
  request.began(sent, { describe: () => describe(sent, startedAt), socket: () => sent.socket });
  sent.once('socket', (socket) => socket.connecting && connects.track(socket, request));
  // Comes after the last byte of the answer, and after every failure.
  sent.once('close', () => request.ended(sent));
}

/**
 * @param {Sent} sent
 * @param {number} startedAt
 * @returns {OpenCall}
 */
function describe(sent, startedAt) {
  const host = sent.getHeader('host');
  const phase = sent.socket ? connects.phase(sent.socket) : null;
  return {
    operation: phase ?? sent.method,
    target: typeof host === 'string' ? host : sent.host,
    startedAt,
    clientTimeoutMs: sent.timeout || agentTimeout(sent) || null,
  };
}

/**
 * The timeout of an agent that somebody made. That of Node's own agent (5 s) ends idle connections only.
 *
 * @param {Sent} sent
 */
function agentTimeout({ agent }) {
  const isNodes = agent === require('node:http').globalAgent || agent === require('node:https').globalAgent;
  return isNodes ? undefined : agent?.options?.timeout;
}

module.exports = { began };
