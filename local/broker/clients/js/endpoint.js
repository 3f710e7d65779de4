// The endpoints that run.js started, and the clients for them.
import { randomUUID } from 'node:crypto';
import { describe } from 'node:test';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import WebSocket from 'ws';

export const announced = JSON.parse(process.env.MUSTERTEST_ENDPOINTS);

const rootKey = { name: 'RootManageSharedAccessKey', value: 'SAS_KEY_VALUE' };

function connectionString(port, key = rootKey) {
  return `Endpoint=sb://127.0.0.1:${port};SharedAccessKeyName=${key.name};SharedAccessKey=${key.value}`;
}

const port = (url) => Number(new URL(url).port);

// insecure makes the administration client, which knows only https, ask over http.
const insecure = {
  name: 'insecure',
  sendRequest(request, next) {
    request.url = request.url.replace(/^https:/, 'http:');
    request.allowInsecureConnection = true;
    return next(request);
  },
};

// Endpoint is one way to reach a broker.
class Endpoint {
  constructor(name, { port, suffix = '', options = {}, managementPort, policy }) {
    Object.assign(this, { name, port, suffix, options, managementPort });
    this.admin = new ServiceBusAdministrationClient(connectionString(managementPort));
    if (policy) this.admin.pipeline.addPolicy(policy);
  }

  // connect makes a client that is closed when the test is over.
  connect(t, { port = this.port, key, ...options } = {}) {
    const client = new ServiceBusClient(connectionString(port, key) + this.suffix, {
      retryOptions: { maxRetries: 3, retryDelayInMs: 100, timeoutInMs: 15_000 },
      ...this.options,
      ...options,
    });
    t.after(() => client.close());
    return client;
  }

  // queue makes a queue for one test.
  async queue(t, options) {
    const name = `${this.name}-${randomUUID()}`;
    await this.admin.createQueue(name, options);
    t.after(() => this.admin.deleteQueue(name));
    return name;
  }

  // open makes a queue, and a client, a sender and a receiver for it.
  async open(t, options, receiverOptions) {
    const queue = await this.queue(t, options);
    const client = this.connect(t);
    return { queue, client, sender: client.createSender(queue), receiver: client.createReceiver(queue, receiverOptions) };
  }
}

const endpoints = [
  new Endpoint('tcp', {
    port: announced.plain.amqp_port,
    suffix: ';UseDevelopmentEmulator=true',
    managementPort: port(announced.plain.management),
    policy: insecure,
  }),
  new Endpoint('tls', { port: announced.tls.amqps_port, managementPort: port(announced.tls.management) }),
  new Endpoint('websocket', {
    port: port(announced.tls.management),
    options: { webSocketOptions: { webSocket: WebSocket } },
    managementPort: port(announced.tls.management),
  }),
];

// overEveryTransport describes the same tests for each way to reach a broker. Every
// test has entities of its own, so they run side by side.
export function overEveryTransport(name, tests) {
  for (const endpoint of endpoints) {
    describe(`${name} over ${endpoint.name}`, { concurrency: 8, timeout: 120_000 }, () => tests(endpoint));
  }
}

// receive receives exactly n messages.
export async function receive(receiver, n) {
  const all = [];
  while (all.length < n) {
    const some = await receiver.receiveMessages(n - all.length, { maxWaitTimeInMs: 10_000 });
    if (some.length === 0) throw new Error(`received ${all.length} of ${n} messages`);
    all.push(...some);
  }
  return all;
}

export async function receiveOne(receiver) {
  return (await receive(receiver, 1))[0];
}

// nothing tells that a receiver has nothing to receive now.
export async function nothing(receiver) {
  return (await receiver.receiveMessages(1, { maxWaitTimeInMs: 300 })).length === 0;
}

export const bodies = (messages) => messages.map((m) => m.body);

export const numbers = (n) => Array.from({ length: n }, (_, i) => i);
