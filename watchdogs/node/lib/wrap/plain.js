'use strict';
// Plain functions: a job, a queue's consumer, a command. Their limit is what the user says it is.

const { followed, like } = require('../requests.js');
const { watchdog } = require('../watchdog.js');

/** @typedef {import('../watchdog.js').Options & { limitMs: number, requestId?: (...args: any[]) => string }} PlainOptions */

/**
 * Watches a function.
 *
 * @template {Function} F
 * @param {F} original
 * @param {PlainOptions} options
 * @returns {F} a function that behaves as the one given
 */
function watch(original, options) {
  if (typeof original !== 'function' || !hasLimit(options?.limitMs, 'watch')) return original;
  const dog = watchdog({ name: original.name || undefined, ...options }, options.limitMs);
  if (dog === null) return original;
  const { requests, profile } = dog;

  /**
   * @this {unknown}
   * @param {unknown[]} args
   */
  const wrapper = function (...args) {
    const id = name(options, args);
    const input = () => (args.length > 1 ? args : args[0]);
    const request = requests.open(profile, { id, traceId: '', budgetMs: options.limitMs, input });
    if (request === null) return Reflect.apply(original, this, args);
    try {
      const result = requests.within(request, () => Reflect.apply(original, this, args));
      const promise = followed(result, (outcome) => requests.close(request, outcome));
      if (promise !== null) return promise;
      requests.close(request, 'ok');
      return result;
    } catch (error) {
      requests.close(request, 'error');
      throw error;
    }
  };
  return like(wrapper, original);
}

/**
 * @param {PlainOptions} options
 * @param {unknown[]} args
 */
function name(options, args) {
  try {
    const id = options.requestId?.(...args);
    return typeof id === 'string' ? id : '';
  } catch (error) {
    require('../say.js').sayOnce(`\`requestId\` failed: ${error instanceof Error ? error.message : error}`);
    return '';
  }
}

/**
 * @param {unknown} limitMs
 * @param {string} wrapper
 */
function hasLimit(limitMs, wrapper) {
  if (typeof limitMs === 'number' && limitMs > 0 && Number.isFinite(limitMs)) return true;
  require('../say.js').sayOnce(`expected \`limitMs\` of \`${wrapper}\` to be a number of milliseconds, found \`${limitMs}\`; nothing is watched`);
  return false;
}

module.exports = { watch, hasLimit };
