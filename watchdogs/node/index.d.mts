import * as watchdog from './index.js';

export { express, fastify, lambda, section, tclose, topen, watch } from './index.js';
export type { LimitOptions, Options, WatchOptions } from './index.js';
export default watchdog;
