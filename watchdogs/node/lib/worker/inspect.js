'use strict';
// The stack of a main thread that does not come back to its event loop, by the inspector protocol from another thread.
//
// Measured on two busy cores: 20 to 110 ms where JavaScript runs (a loop, a regular expression, `Atomics.wait`), nothing where
// it does not (`execSync`). A pause that finds nothing running stays pending and stops the main thread at its next statement:
// so it is only asked for when the loop has stopped turning, and the session ends as soon as the loop turns again or the
// stack is there, which a paused thread waits for no longer than PAUSED_MS_MAX.

const { fileURLToPath } = require('node:url');

const PAUSED_MS_MAX = 50;
/** The innermost frames; the collector keeps as many. */
const FRAMES_MAX = 128;

/** @typedef {import('./event.js').Frame} Frame */
/** @typedef {{ functionName: string, url: string, location: { scriptId: string, lineNumber: number } }} CallFrame */

/**
 * @param {string} expression evaluated while the main thread is paused; its result is text
 * @param {number} withinMs
 * @param {Promise<unknown>} isBack settles when the event loop turns again
 * @returns {Promise<{ frames: Frame[], result: string | undefined } | null>} null when there is no stack to be had
 */
function inspectMain(expression, withinMs, isBack) {
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
    /** @type {Map<string, string>} */
    const urls = new Map();
    /** @type {Frame[] | null} */
    let frames = null;
    const done = (/** @type {string | undefined} */ result) => {
      clearTimeout(timer);
      session.disconnect();
      resolve(frames && { frames, result });
    };
    let timer = setTimeout(done, withinMs, undefined);
    isBack.then(() => frames === null && done(undefined));
    session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
    session.on('Debugger.paused', ({ params }) => {
      clearTimeout(timer);
      timer = setTimeout(done, PAUSED_MS_MAX, undefined);
      frames = framesOf(/** @type {CallFrame[]} */ (params.callFrames), urls);
      session.post('Runtime.evaluate', { expression, returnByValue: true, silent: true }, (error, answer) => {
        done(error ? undefined : answer.result.value);
      });
    });
    session.post('Debugger.enable');
    session.post('Debugger.pause');
  });
}

/**
 * @param {CallFrame[]} callFrames innermost first
 * @param {Map<string, string>} urls
 * @returns {Frame[]} innermost last
 */
function framesOf(callFrames, urls) {
  const frames = callFrames.slice(0, FRAMES_MAX).map((frame) => ({
    function: frame.functionName || null,
    file: path(frame.url || urls.get(frame.location.scriptId) || ''),
    line: frame.location.lineNumber + 1,
  }));
  return frames.reverse();
}

/** @param {string} url */
function path(url) {
  try {
    return url.startsWith('file:') ? fileURLToPath(url) : url || null;
  } catch {
    return url;
  }
}

module.exports = { inspectMain };
