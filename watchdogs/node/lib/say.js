'use strict';
// What the user has to know of the watchdog itself: on standard error, each thing once per process.

/** @type {Set<string>} */
const said = new Set();
/** A bound on what is remembered; there are about ten different things to say. */
const SAID_MAX = 64;

/**
 * @param {string} text lower case, no full stop; what was expected and what was found
 * @param {string} [thing] what it is about, where the text differs from time to time
 */
function sayOnce(text, thing = text) {
  if (said.has(thing) || said.size >= SAID_MAX) return;
  said.add(thing);
  const line = `overrun watchdog: ${text}`;
  try {
    // Synchronous: from a worker thread, `process.stderr` needs the main thread, which may be stuck.
    require('node:fs').writeSync(2, `${line}\n`);
  } catch {
    // Bundled as an ES module, without `require`; or standard error is closed, and nobody is there to be told.
    console.error(line);
  }
}

module.exports = { sayOnce };
