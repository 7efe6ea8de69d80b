import watchdog from './index.js';

export const { express, fastify, lambda, section, tclose, topen, watch } = watchdog;
export default watchdog;
