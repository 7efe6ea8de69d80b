'use strict';
// Asks a main thread that does not come back to its event loop, by the inspector protocol from another thread: what it runs is
// interrupted for a function on top of it, which sees the stack. The debugger is not needed for that, and not switched on: it
// reads all scripts first, which takes the main thread 40 ms and more.
//
// Measured on two busy cores, Node.js 18, 20 and 24: 3 to 20 ms where JavaScript runs (a loop, a regular expression,
// `Atomics.wait`), nothing where it does not (`execSync`): there the function runs when the main thread comes back, and nobody
// waits for it any more.

/**
 * @param {string} expression what runs on the main thread; its result is text
 * @param {number} withinMs
 * @param {Promise<unknown>} isBack settles when the event loop turns again
 * @returns {Promise<string | null>} null when there is no answer to be had
 */
function askBlocked(expression, withinMs, isBack) {
  return new Promise((resolve) => {
    /** @type {import('node:inspector').Session & { connectToMainThread(): void }} */
    let session;
    try {
      const inspector = require('node:inspector');
      session = /** @type {typeof session} */ (new inspector.Session());
      session.connectToMainThread();
    } catch {
      // Built without it, or somebody else forbids it.
      resolve(null);
      return;
    }
    const done = (/** @type {string | null} */ result) => {
      clearTimeout(timer);
      session.disconnect();
      resolve(result);
    };
    const timer = setTimeout(done, withinMs, null);
    isBack.then(() => done(null));
    session.post('Runtime.evaluate', { expression, returnByValue: true, silent: true }, (error, answer) => {
      done(error ? null : (answer.result.value ?? null));
    });
  });
}

module.exports = { askBlocked };
