/** What every wrapper takes. Everything that holds for the whole process is set by environment variables. */
export interface Options {
  /** How long before the deadline `fired` is sent, in ms; at least 150. Default: 500, with less than 256 MB of memory 1000. */
  marginMs?: number;
  /** The share of the budget after which the first event is sent, from 0 to 1. Default: 0.5. */
  nearMissShare?: number;
  /** The function's name. Default: as Lambda or the function itself calls it. */
  name?: string;
  /** The product whose limit is watched, such as `cloud_run`. */
  platform?: string;
}

/** Where no platform states the deadline. */
export interface LimitOptions extends Options {
  /** How long a request may take, in ms. */
  limitMs: number;
}

export interface WatchOptions<A extends unknown[]> extends LimitOptions {
  /** The ID under which others know this call. Default: one is made up when there is something to tell. */
  requestId?: (...args: A) => string;
}

/** Watches a Lambda handler: one that returns a promise, that calls back, or that streams. */
export function lambda<F extends Function>(handler: F, options?: Options): F;

/** Watches any function. */
export function watch<F extends (...args: any[]) => unknown>(fn: F, options: WatchOptions<Parameters<F>>): F;

/** Express middleware; `app.use` it before everything that may be slow. */
export function express(options: LimitOptions): (request: object, response: object, next: () => void) => void;

/** Fastify plugin: `app.register(fastify, { limitMs: 30_000 })`. */
export function fastify(app: any, options: LimitOptions, done: () => void): void;

/** Runs a function as a named section of the request that is being served. */
export function section<T>(name: string, run: () => T): T;

/** Opens a named section of the request that is being served. */
export function topen(name: string): void;

/** Closes a named section. */
export function tclose(name: string): void;
