'use strict';
// A copy of any value as plain JSON, no larger than a bound: made on the main thread, which must not be held up by
// the size of somebody's input. Secrets are taken out later, by the watcher, before anything leaves the process.

/** How deep a value is followed. */
const DEPTH_MAX = 32;

/**
 * @param {unknown} value
 * @param {number} charsMax about how long its JSON may become
 * @returns {{ value: unknown, whole: boolean }} what fits; whether that is everything
 */
function bounded(value, charsMax) {
  const state = { left: charsMax, whole: true };
  return { value: copy(value, state, DEPTH_MAX), whole: state.whole };
}

/**
 * @param {unknown} value
 * @param {{ left: number, whole: boolean }} state
 * @param {number} depth
 * @returns {unknown}
 */
function copy(value, state, depth) {
  if (state.left <= 0 || depth === 0) {
    state.whole = false;
    return null;
  }
  switch (typeof value) {
    case 'string':
      return text(value, state);
    case 'number':
    case 'boolean':
      state.left -= 6;
      return value;
    case 'bigint':
      return text(String(value), state);
    case 'object':
      return value === null ? scalar(null, state) : object(value, state, depth);
    default:
      // Functions and symbols are no data.
      return scalar(null, state);
  }
}

/**
 * @param {string} value
 * @param {{ left: number, whole: boolean }} state
 */
function text(value, state) {
  if (value.length > state.left) state.whole = false;
  const kept = value.slice(0, state.left);
  state.left -= kept.length + 2;
  return kept;
}

/**
 * @param {null} value
 * @param {{ left: number }} state
 */
function scalar(value, state) {
  state.left -= 4;
  return value;
}

/**
 * @param {object} value
 * @param {{ left: number, whole: boolean }} state
 * @param {number} depth
 */
function object(value, state, depth) {
  if (value instanceof Date) return text(Number.isNaN(value.getTime()) ? '' : value.toISOString(), state);
  if (ArrayBuffer.isView(value)) return text(`[${value.byteLength} bytes]`, state);
  state.left -= 2;
  if (Array.isArray(value)) {
    const items = [];
    for (const item of value) {
      if (state.left <= 0) {
        state.whole = false;
        break;
      }
      items.push(copy(item, state, depth - 1));
    }
    return items;
  }
  /** @type {[string, unknown][]} */
  const members = [];
  for (const name in value) {
    if (state.left <= 0) {
      state.whole = false;
      break;
    }
    if (!Object.hasOwn(value, name)) continue;
    state.left -= name.length + 4;
    members.push([name, copy(/** @type {Record<string, unknown>} */ (value)[name], state, depth - 1)]);
  }
  // Not assignment, which a member named `__proto__` would turn into something else.
  return Object.fromEntries(members);
}

module.exports = { bounded };
