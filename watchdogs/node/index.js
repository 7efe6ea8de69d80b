'use strict';
// What users call. Each wrapper is loaded when it is used: reading files is most of what a cold start costs.

/** @type {typeof import('./lib/wrap/lambda.js').lambda} */
const lambda = (handler, options) => require('./lib/wrap/lambda.js').lambda(handler, options);
/** @type {typeof import('./lib/wrap/plain.js').watch} */
const watch = (original, options) => require('./lib/wrap/plain.js').watch(original, options);
/** @type {typeof import('./lib/wrap/http.js').express} */
const express = (options) => require('./lib/wrap/http.js').express(options);
/** @type {typeof import('./lib/wrap/http.js').fastify} */
const fastify = (app, options, done) => require('./lib/wrap/http.js').fastify(app, options, done);
// It holds for the whole application, not only for what is registered within the plugin.
Object.assign(fastify, { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: '@overrun/watchdog' });
/** @type {typeof import('./lib/sections.js').section} */
const section = (name, run) => require('./lib/sections.js').section(name, run);
/** @type {typeof import('./lib/sections.js').topen} */
const topen = (name) => require('./lib/sections.js').topen(name);
/** @type {typeof import('./lib/sections.js').tclose} */
const tclose = (name) => require('./lib/sections.js').tclose(name);

module.exports = { express, fastify, lambda, section, tclose, topen, watch };
