'use strict';
// A wrapper must not be told apart from what it wraps: runtimes look at the number of parameters (Lambda's takes a handler with
// three for a callback handler) and at marks on the function (`awslambda.streamifyResponse`).

/**
 * @template {Function} F
 * @param {Function} wrapper
 * @param {F} original
 * @returns {F} the wrapper, with name, length and marks of the original
 */
function like(wrapper, original) {
  for (const key of Reflect.ownKeys(original)) {
    const property = Object.getOwnPropertyDescriptor(original, key);
    const own = Object.getOwnPropertyDescriptor(wrapper, key);
    if (property && key !== 'prototype' && (own === undefined || own.configurable)) Object.defineProperty(wrapper, key, property);
  }
  return /** @type {F} */ (/** @type {unknown} */ (wrapper));
}

/**
 * Follows a handler's result to its end. What is returned settles as the result does.
 *
 * @param {unknown} result
 * @param {(outcome: 'ok' | 'error') => void} ended
 * @returns {unknown} null when the result is no promise
 */
function followed(result, ended) {
  if (typeof result !== 'object' || result === null || typeof (/** @type {any} */ (result).then) !== 'function') return null;
  // Not a branch beside it: that would count as somebody who handles its failure.
  return /** @type {Promise<unknown>} */ (result).then(
    (value) => {
      ended('ok');
      return value;
    },
    (error) => {
      ended('error');
      throw error;
    },
  );
}

module.exports = { like, followed };
