'use strict';
// A small Lambda runtime: speaks the Runtime API as AWS's client for Node.js does (`aws-lambda-ric`, seen November 2026).
// It hands a callback's answer on when the event loop is empty, unless the handler says otherwise. CI uses it in place of
// the real one, which takes minutes to build; `npm run ric` runs the same tests with that.
//
//     AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 node runtime-loop.js /path/to/function.js

const http = require('node:http');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const [host, port] = String(process.env.AWS_LAMBDA_RUNTIME_API).split(':');

/**
 * @param {string} method
 * @param {string} path
 * @param {(message: http.IncomingMessage, body: string) => void} done
 */
function ask(method, path, done) {
  const request = http.request({ host, port, method, agent, path: `/2018-06-01/runtime${path}` }, (response) => {
    let body = '';
    response.on('data', (part) => (body += part)).on('end', () => done(response, body));
  });
  // The platform has gone; so goes the runtime.
  return request.on('error', () => process.exit(1));
}

globalThis.awslambda = {
  streamifyResponse: (/** @type {any} */ handler) => Object.assign(handler, { [STREAMING]: 'response' }),
};
const { handler } = require(process.argv[2]);

function next() {
  ask('GET', '/invocation/next', (message, body) => invoke(message.headers, JSON.parse(body))).end();
}

/**
 * @param {http.IncomingHttpHeaders} headers
 * @param {unknown} event
 */
function invoke(headers, event) {
  const id = headers['lambda-runtime-aws-request-id'];
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  process.env._X_AMZN_TRACE_ID = String(headers['lambda-runtime-trace-id']);
  const context = {
    awsRequestId: id,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  const answer = (/** @type {unknown} */ result) => ask('POST', `/invocation/${id}/response`, next).end(JSON.stringify(result ?? null));
  const fail = (/** @type {any} */ error) => ask('POST', `/invocation/${id}/error`, next).end(JSON.stringify({ errorMessage: String(error?.message ?? error) }));
  if (handler[STREAMING]) {
    const stream = ask('POST', `/invocation/${id}/response`, next);
    handler(event, stream, context).catch(fail);
    return;
  }
  const callback = (/** @type {unknown} */ error, /** @type {unknown} */ result) => {
    const hand = () => (error ? fail(error) : answer(result));
    if (error || !context.callbackWaitsForEmptyEventLoop) hand();
    else process.once('beforeExit', hand);
  };
  try {
    const result = handler(event, context, callback);
    if (typeof result?.then === 'function') result.then(answer, fail);
  } catch (error) {
    fail(error);
  }
}

next();
