'use strict';
// Where Node.js says that something goes out: `diagnostics_channel` (tried on Node.js 18, 20, 22 and 24, November 2026).
//
// `http.client.request.start` comes when a request has been written, and from 22.12 on `http.client.request.created` before;
// `net.client.socket` with every socket that `net.connect` makes, before it does anything. What they need is loaded with
// the first call within a request: it is no part of a cold start.

const diagnostics = require('node:diagnostics_channel');

/** @param {import('./requests.js').Requests} requests */
function watchCalls(requests) {
  for (const name of ['http.client.request.created', 'http.client.request.start']) {
    diagnostics.channel(name).subscribe((message) => {
      const request = requests.current();
      if (request !== null) require('./calls.js').began(/** @type {any} */ (message).request, request);
    });
  }
  diagnostics.channel('net.client.socket').subscribe((message) => {
    const request = requests.current();
    if (request !== null) require('./connects.js').connects.track(/** @type {any} */ (message).socket, request);
  });
}

module.exports = { watchCalls };
