'use strict';
// The stack of the main thread, as a function sees it that the inspector runs on top of it.

/** The innermost frames; the collector keeps as many. */
const FRAMES_MAX = 128;
/** Frames of the inspector's on top, and of Node.js's own code in C++ in between, which have no line. */
const OTHERS_MAX = 16;

/** @typedef {{ function: string | null, file: string | null, line: number }} Frame */

/**
 * @param {Function} top what runs on top of the stack, and is no part of it
 * @returns {Frame[]} innermost last; empty when nothing runs
 */
function framesBelow(top) {
  const names = /** @type {const} */ (['prepareStackTrace', 'stackTraceLimit']);
  const kept = names.map((name) => Object.getOwnPropertyDescriptor(Error, name));
  try {
    Error.stackTraceLimit = FRAMES_MAX + OTHERS_MAX;
    // Asked for the places themselves: neither text nor the user's way to make it.
    Error.prepareStackTrace = (_, sites) => sites;
    const holder = { stack: /** @type {NodeJS.CallSite[]} */ ([]) };
    Error.captureStackTrace(holder, top);
    return holder.stack.flatMap(frame).slice(0, FRAMES_MAX).reverse();
  } finally {
    names.forEach((name, index) => restore(name, kept[index]));
  }
}

/**
 * @param {NodeJS.CallSite} site
 * @returns {Frame[]} none for what has no line, and for functions that wait for this one and do not run
 */
function frame(site) {
  const [file, line] = [site.getFileName(), site.getLineNumber()];
  // Not in the types yet; since Node.js 12.
  if (!file || line === null || /** @type {{ isAsync?(): boolean }} */ (site).isAsync?.()) return [];
  return [{ function: site.getFunctionName(), file: path(file), line }];
}

/** @param {string} file an ES module's is a URL */
function path(file) {
  try {
    return file.startsWith('file:') ? require('node:url').fileURLToPath(file) : file;
  } catch {
    return file;
  }
}

/**
 * @param {string} name
 * @param {PropertyDescriptor | undefined} descriptor
 */
function restore(name, descriptor) {
  if (descriptor) Object.defineProperty(Error, name, descriptor);
  else Reflect.deleteProperty(Error, name);
}

module.exports = { framesBelow };
