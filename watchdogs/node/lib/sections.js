'use strict';
// Tracepoints: named sections of a request. Kept with the request; sent only if the request turns out to be slow.

const { followed } = require('./requests.js');
const { running } = require('./watchdog.js');

/**
 * Runs a function as a named section.
 *
 * @template T
 * @param {string} name
 * @param {() => T} run
 * @returns {T} what the function returns; a promise settles as that of the function does
 */
function section(name, run) {
  topen(name);
  try {
    const result = run();
    const promise = followed(result, () => tclose(name));
    if (promise !== null) return /** @type {T} */ (promise);
    tclose(name);
    return result;
  } catch (error) {
    tclose(name);
    throw error;
  }
}

/** @param {string} name */
function topen(name) {
  running()?.requests.tracepoint(String(name), 'opened');
}

/** @param {string} name */
function tclose(name) {
  running()?.requests.tracepoint(String(name), 'closed');
}

module.exports = { section, topen, tclose };
