'use strict';
// A stand-in for the collector: takes events and remembers when each came, or behaves as badly as it is told to.

const http = require('node:http');

/** @typedef {'takes' | 'fails' | 'hangs' | 'refuses'} Behaviour */

class Collector {
  /** @param {Behaviour} behaviour */
  constructor(behaviour = 'takes') {
    this.behaviour = behaviour;
    /** @type {Record<string, any>[]} events, with `arrived_at` in ms since 1970 */
    this.events = [];
    /** @type {import('node:http').IncomingHttpHeaders[]} */
    this.headers = [];
    /** @type {(() => void)[]} */
    this.waiting = [];
    this.posts = 0;
    this.server = http.createServer((request, response) => this.take(request, response));
    this.server.keepAliveTimeout = 60_000;
  }

  /** @param {Behaviour} [behaviour] */
  static async start(behaviour) {
    const collector = new Collector(behaviour);
    await new Promise((resolve) => collector.server.listen(0, '127.0.0.1', () => resolve(undefined)));
    return collector;
  }

  get url() {
    return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (this.server.address()).port}`;
  }

  /**
   * @param {http.IncomingMessage} request
   * @param {http.ServerResponse} response
   */
  take(request, response) {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      this.posts += 1;
      this.headers.push(request.headers);
      if (this.behaviour === 'hangs') return;
      if (this.behaviour !== 'takes') {
        response.writeHead(this.behaviour === 'fails' ? 500 : 401).end();
        return;
      }
      for (const event of JSON.parse(body)) this.events.push({ ...event, arrived_at: Date.now() });
      response.writeHead(202).end('{}');
      this.waiting.splice(0).forEach((wake) => wake());
    });
  }

  /**
   * Waits for an event.
   *
   * @param {(event: Record<string, any>) => boolean} wanted
   */
  async event(wanted) {
    for (;;) {
      const found = this.events.find(wanted);
      if (found) return found;
      await new Promise((resolve) => this.waiting.push(() => resolve(undefined)));
    }
  }

  /** @param {string} requestId */
  of(requestId) {
    return this.events.filter((event) => event.request_id === requestId);
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

module.exports = { Collector };
