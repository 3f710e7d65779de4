// Ways to say who one is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServiceBusConnectionString, ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { overEveryTransport, receiveOne, sharedAccessSignature } from './endpoint.js';

const rootKey = { key: 'SAS_KEY_VALUE', name: 'RootManageSharedAccessKey' };

overEveryTransport('authorisation', (endpoint) => {
  const once = { retryOptions: { maxRetries: 0, timeoutInMs: 10_000 } };
  // open connects by what connect makes.
  function open(t, ...args) {
    const client = new ServiceBusClient(...args, { ...endpoint.options, ...once });
    t.after(() => client.close());
    return client;
  }

  async function works(client, queue) {
    await client.createSender(queue).sendMessages({ body: 'a' });
    const receiver = client.createReceiver(queue);
    await receiver.completeMessage(await receiveOne(receiver));
    assert.deepEqual(await receiver.peekMessages(1), []);
  }
  async function isRefused(client, queue, message = /./) {
    await assert.rejects(client.createSender(queue).sendMessages({ body: 'a' }), { code: 'UnauthorizedAccess', message });
    await assert.rejects(client.createReceiver(queue).peekMessages(1), { code: 'UnauthorizedAccess', message });
  }
  const withSignature = (signature) => `Endpoint=sb://${endpoint.address}/;SharedAccessSignature=${signature}${endpoint.suffix}`;

  test('a connection string, and one with the name of an entity', async (t) => {
    const queue = await endpoint.queue(t);
    await works(open(t, endpoint.connectionString()), queue);
    const own = endpoint.connectionString() + `;EntityPath=${queue}`;
    assert.equal(parseServiceBusConnectionString(own).entityPath, queue);
    await works(open(t, own), queue);
    // The scheme is nobody's business.
    await works(open(t, endpoint.connectionString().replace('sb://', 'anything://')), queue);
  });

  test('signatures', async (t) => {
    const [queue, other] = [await endpoint.queue(t), await endpoint.queue(t)];
    const address = `sb://${endpoint.address}/${queue}`;
    await works(open(t, withSignature(sharedAccessSignature(address))), queue);
    await works(open(t, withSignature(sharedAccessSignature(`sb://${endpoint.address}`))), other);
    await isRefused(open(t, withSignature(sharedAccessSignature(address))), other);
    await isRefused(open(t, withSignature(sharedAccessSignature(address, { seconds: -60 }))), queue, /ExpiredToken: The token is expired/);
    await isRefused(open(t, withSignature(sharedAccessSignature(address, { value: 'wrong' }))), queue, /InvalidSignature/);
    await isRefused(open(t, withSignature('SharedAccessSignature nonsense')), queue, /MalformedToken/);
  });

  test('rights of the dead-letter queue are those of its queue', async (t) => {
    const queue = await endpoint.queue(t);
    const client = open(t, withSignature(sharedAccessSignature(`sb://${endpoint.address}/${queue}`)));
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages({ body: 'a' });
    await receiver.deadLetterMessage(await receiveOne(receiver));
    assert.equal((await receiveOne(client.createReceiver(queue, { subQueueType: 'deadLetter' }))).body, 'a');
  });

  test('a topic is for those who send, a subscription for those who listen', async (t) => {
    const topic = await endpoint.queue(t); // for its name
    await endpoint.admin.createTopic(`t-${topic}`);
    t.after(() => endpoint.admin.deleteTopic(`t-${topic}`));
    await endpoint.admin.createSubscription(`t-${topic}`, 's');
    const sender = open(t, endpoint.connectionString({ name: 'Sender', value: 'sender-key' }));
    await sender.createSender(`t-${topic}`).sendMessages({ body: 'a' });
    await assert.rejects(sender.createReceiver(`t-${topic}`, 's').peekMessages(1), { code: 'UnauthorizedAccess' });
    const all = open(t, endpoint.connectionString());
    assert.equal((await receiveOne(all.createReceiver(`t-${topic}`, 's'))).body, 'a');
  });

  // Only a connection string leads the client to an endpoint without TLS.
  if (endpoint.name === 'tcp') return;

  test('credentials', async (t) => {
    const queue = await endpoint.queue(t);
    await works(open(t, endpoint.address, rootKey), queue);
    await isRefused(open(t, endpoint.address, { ...rootKey, key: 'wrong' }), queue, /InvalidSignature/);
    await works(open(t, endpoint.address, { signature: sharedAccessSignature(`sb://${endpoint.address}/${queue}`) }), queue);
    const asked = [];
    const entra = {
      async getToken(scopes) {
        asked.push(scopes);
        return { token: 'e30.e30.e30', expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    };
    await works(open(t, endpoint.address, entra), queue);
    assert.ok(asked.length > 0);
    for (const credential of [rootKey, entra]) {
      const admin = new ServiceBusAdministrationClient(endpoint.host, credential);
      assert.equal((await admin.getQueue(queue)).name, queue);
      const forwarding = `f-${queue}`;
      const made = await admin.createQueue(forwarding, { forwardTo: queue });
      assert.equal(made.forwardTo, `sb://${endpoint.host}/${queue}`);
      await admin.deleteQueue(forwarding);
    }
    await assert.rejects(new ServiceBusAdministrationClient(endpoint.host, { ...rootKey, key: 'wrong' }).getQueue(queue), { statusCode: 401 });
  });
});
