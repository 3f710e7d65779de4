// The endpoints that run.js started, and the clients for them.
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { describe } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import rhea from 'rhea';
import WebSocket from 'ws';

export const announced = JSON.parse(process.env.MUSTERTEST_ENDPOINTS);

const rootKey = { name: 'RootManageSharedAccessKey', value: 'SAS_KEY_VALUE' };

function connectionString(port, key = rootKey) {
  return `Endpoint=sb://127.0.0.1:${port};SharedAccessKeyName=${key.name};SharedAccessKey=${key.value}`;
}

// sharedAccessSignature is a token for everything below an address.
export function sharedAccessSignature(address, { seconds = 600, value = rootKey.value } = {}) {
  const resource = encodeURIComponent(address.toLowerCase());
  const expiry = Math.floor(Date.now() / 1000) + seconds;
  const signature = createHmac('sha256', value).update(`${resource}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${rootKey.name}`;
}

const portOf = (url) => Number(new URL(url).port);

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
  constructor(name, { port, suffix = '', options = {}, management, policy }) {
    Object.assign(this, { name, port, suffix, options, management, policy });
    this.host = new URL(management).host; // of the management API
    this.address = `127.0.0.1:${port}`; // of AMQP
    this.admin = this.administer();
  }

  // administer makes an administration client.
  administer({ key, ...options } = {}) {
    const admin = new ServiceBusAdministrationClient(connectionString(portOf(this.management), key), options);
    if (this.policy) admin.pipeline.addPolicy(this.policy);
    return admin;
  }

  // connectionString is for clients that speak AMQP.
  connectionString(key) {
    return connectionString(this.port, key) + this.suffix;
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

  // inject has a fault happen.
  async inject(fault) {
    const response = await fetch(`${this.management}/$faults`, {
      method: 'POST',
      headers: { Authorization: sharedAccessSignature(this.management) },
      body: JSON.stringify(fault),
    });
    if (!response.ok) throw new Error(`inject a fault: ${response.status} ${await response.text()}`);
  }

  // loseLocks ends all locks on messages and sessions of an entity before their time.
  loseLocks(entity) {
    return this.inject({ kind: 'lose-locks', entity });
  }

  // raw opens a connection of a plain AMQP client, which is closed when the test is over.
  async raw(t, options = {}) {
    const details = { username: rootKey.name, password: rootKey.value, reconnect: false, host: '127.0.0.1', port: this.port, ...options };
    if (this.name === 'tls') Object.assign(details, { transport: 'tls', servername: 'localhost' });
    if (this.name === 'websocket') {
      details.connection_details = rhea.websocket_connect(WebSocket)(`wss://${this.host}/$servicebus/websocket`, ['amqp']);
    }
    const connection = rhea.create_container().connect(details);
    // rhea throws errors that nobody listens to; links end with their queue, before the connection.
    for (const event of ['sender_error', 'receiver_error', 'session_error', 'connection_error', 'disconnected']) connection.on(event, () => {});
    t.after(async () => {
      if (!connection.is_open()) return;
      const closed = once(connection, 'connection_close');
      connection.close();
      await closed;
    });
    const [opened] = await Promise.race([once(connection, 'connection_open'), once(connection, 'connection_error'), once(connection, 'disconnected')]);
    if (!connection.is_open()) throw connection.error ?? opened.error ?? new Error('the connection was not opened');
    return connection;
  }

  // empty waits until a queue holds nothing.
  async empty(queue) {
    while ((await this.admin.getQueueRuntimeProperties(queue)).totalMessageCount > 0) await wait(20);
  }
}

const endpoints = [
  new Endpoint('tcp', {
    port: announced.plain.amqp_port,
    suffix: ';UseDevelopmentEmulator=true',
    management: announced.plain.management,
    policy: insecure,
  }),
  new Endpoint('tls', { port: announced.tls.amqps_port, management: announced.tls.management }),
  new Endpoint('websocket', {
    port: portOf(announced.tls.management),
    options: { webSocketOptions: { webSocket: WebSocket } },
    management: announced.tls.management,
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
