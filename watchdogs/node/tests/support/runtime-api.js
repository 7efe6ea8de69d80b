'use strict';
// A stand-in for Lambda's Runtime API, after https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html (read November
// 2026): hands out invocations, takes answers, and kills the process at the deadline as the platform would.

const { spawn } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const http = require('node:http');

/** @typedef {{ outcome: 'answered' | 'failed' | 'killed' | 'ended', body: string, tookMs: number, requestId: string, at: number }} Ended */

class RuntimeApi {
  constructor() {
    /** @type {{ event: unknown, timeoutMs: number, done: (ended: Ended) => void }[]} */
    this.queue = [];
    /** @type {((invocation: any) => void) | null} */
    this.idle = null;
    /** @type {{ requestId: string, startedAt: number, timer: NodeJS.Timeout, done: (ended: Ended) => void } | null} */
    this.running = null;
    this.server = http.createServer((request, response) => this.route(request, response));
    this.server.keepAliveTimeout = 60_000;
    this.output = '';
    this.errors = '';
    /** @type {import('node:child_process').ChildProcess | undefined} */
    this.process = undefined;
  }

  /**
   * Starts a function.
   *
   * @param {string[]} command
   * @param {Record<string, string>} env
   */
  static async start(command, env) {
    const api = new RuntimeApi();
    await new Promise((resolve) => api.server.listen(0, '127.0.0.1', () => resolve(undefined)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (api.server.address());
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('OVERRUN_') && !name.startsWith('NODE_'));
    const platform = {
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      AWS_LAMBDA_FUNCTION_NAME: 'checkout',
      AWS_LAMBDA_FUNCTION_VERSION: '7',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/checkout',
      AWS_LAMBDA_LOG_STREAM_NAME: '2026/11/27/[7]0f1e2d3c4b5a69788796a5b4c3d2e1f0',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
      // Clients from 4.0 on are told so, and not by an argument.
      LAMBDA_TASK_ROOT: __dirname,
      _HANDLER: 'function.handler',
    };
    const child = spawn(command[0], command.slice(1), { cwd: __dirname, env: { ...Object.fromEntries(own), ...platform, ...env } });
    child.stdout.on('data', (part) => (api.output += part));
    child.stderr.on('data', (part) => (api.errors += part));
    child.on('exit', () => {
      api.end('ended', api.errors);
      api.endQueued();
    });
    api.process = child;
    return api;
  }

  /**
   * Invokes the function.
   *
   * @param {unknown} event
   * @param {number} timeoutMs
   * @returns {Promise<Ended>}
   */
  invoke(event, timeoutMs) {
    return new Promise((done) => {
      this.queue.push({ event, timeoutMs, done });
      if (this.idle) this.hand(this.idle);
      if (this.process?.exitCode != null) this.endQueued();
    });
  }

  /** Nobody comes for these any more. */
  endQueued() {
    for (const { done } of this.queue.splice(0)) done({ outcome: 'ended', body: this.errors, tookMs: 0, requestId: '', at: Date.now() });
  }

  /** @param {(invocation: any) => void} give */
  hand(give) {
    const next = this.queue.shift();
    if (next === undefined) {
      this.idle = give;
      return;
    }
    this.idle = null;
    const requestId = randomUUID();
    const startedAt = Date.now();
    const kill = () => {
      this.process?.kill('SIGKILL');
      this.end('killed', '');
    };
    this.running = { requestId, startedAt, timer: setTimeout(kill, next.timeoutMs), done: next.done };
    give({ requestId, deadline: startedAt + next.timeoutMs, event: next.event });
  }

  /**
   * @param {Ended['outcome']} outcome
   * @param {string} body
   */
  end(outcome, body) {
    const { running } = this;
    if (running === null) return;
    this.running = null;
    clearTimeout(running.timer);
    const at = Date.now();
    running.done({ outcome, body, tookMs: at - running.startedAt, requestId: running.requestId, at });
  }

  /**
   * @param {http.IncomingMessage} request
   * @param {http.ServerResponse} response
   */
  route(request, response) {
    if (request.url?.endsWith('/invocation/next')) {
      this.hand(({ requestId, deadline, event }) => {
        response.writeHead(200, {
          'content-type': 'application/json',
          'lambda-runtime-aws-request-id': requestId,
          'lambda-runtime-deadline-ms': String(deadline),
          'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:eu-central-1:123456789012:function:checkout',
          'lambda-runtime-trace-id': 'Root=1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b;Parent=eee19b7ec3c1b174;Sampled=1',
        });
        response.end(JSON.stringify(event));
      });
      return;
    }
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      this.end(request.url?.endsWith('/response') ? 'answered' : 'failed', body);
      response.writeHead(202).end('{}');
    });
  }

  async stop() {
    this.server.close();
    this.server.closeAllConnections();
    const { process: child } = this;
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
  }
}

module.exports = { RuntimeApi };
