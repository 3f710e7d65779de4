// Errors, and connections that are cut.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { overEveryTransport, receiveOne } from './endpoint.js';

const once_ = { maxRetries: 0, timeoutInMs: 10_000 };

// cutter is a proxy whose connections can be cut.
async function cutter(t, port) {
  const sockets = new Set();
  const server = createServer((from) => {
    const to = connect(port, '127.0.0.1');
    for (const [a, b] of [[from, to], [to, from]]) {
      sockets.add(a);
      a.on('error', () => {});
      a.on('close', () => (sockets.delete(a), b.destroy()));
      a.pipe(b);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((s) => s.destroy());
  t.after(() => (cut(), server.close()));
  return { port: server.address().port, cut };
}

overEveryTransport('errors', (endpoint) => {
  test('an entity that does not exist', async (t) => {
    const client = endpoint.connect(t, { retryOptions: once_ });
    const want = { code: 'MessagingEntityNotFound' };
    await assert.rejects(client.createSender('nowhere').sendMessages({ body: 'a' }), want);
    await assert.rejects(receiveOne(client.createReceiver('nowhere')), want);
    await assert.rejects(client.createReceiver('nowhere').peekMessages(1), want);
    await assert.rejects(client.acceptSession('nowhere', 's'), want);
    await assert.rejects(receiveOne(client.createReceiver('nowhere', 'never')), want);
  });

  test('a wrong key, and an unknown one', async (t) => {
    const queue = await endpoint.queue(t);
    for (const key of [{ name: 'RootManageSharedAccessKey', value: 'wrong' }, { name: 'Nobody', value: 'SAS_KEY_VALUE' }]) {
      const client = endpoint.connect(t, { key, retryOptions: once_ });
      await assert.rejects(client.createSender(queue).sendMessages({ body: 'a' }), { code: 'UnauthorizedAccess' });
      await assert.rejects(receiveOne(client.createReceiver(queue)), { code: 'UnauthorizedAccess' });
    }
  });

  test('a key that may only send', async (t) => {
    const queue = await endpoint.queue(t);
    const client = endpoint.connect(t, { key: { name: 'Sender', value: 'sender-key' }, retryOptions: once_ });
    await client.createSender(queue).sendMessages({ body: 'a' });
    await assert.rejects(receiveOne(client.createReceiver(queue)), { code: 'UnauthorizedAccess' });
    await assert.rejects(client.createReceiver(queue).peekMessages(1), { code: 'UnauthorizedAccess' });
  });

  test('an entity that is disabled', async (t) => {
    const queue = await endpoint.queue(t, { status: 'SendDisabled' });
    const client = endpoint.connect(t, { retryOptions: once_ });
    await assert.rejects(client.createSender(queue).sendMessages({ body: 'a' }), { code: 'MessagingEntityDisabled' });
    assert.deepEqual(await client.createReceiver(queue).peekMessages(1), []);
  });

  test('a sequence number that holds nothing', async (t) => {
    const { receiver, sender } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a' });
    const [{ sequenceNumber }] = await receiver.peekMessages(1);
    await assert.rejects(receiver.receiveDeferredMessages(sequenceNumber), { code: 'MessageNotFound' });
    await assert.rejects(sender.cancelScheduledMessages(sequenceNumber), { code: 'MessageNotFound' });
  });

  test('a cut connection is made again', async (t) => {
    const queue = await endpoint.queue(t);
    const { port, cut } = await cutter(t, endpoint.port);
    const client = endpoint.connect(t, { port });
    const sender = client.createSender(queue);
    const receiver = client.createReceiver(queue);
    for (const body of ['one', 'two', 'three']) {
      await sender.sendMessages({ body });
      const message = await receiveOne(receiver);
      assert.equal(message.body, body);
      await receiver.completeMessage(message);
      cut();
      await wait(100); // until the client has noticed
    }
  });

  test('a stream goes on over a cut connection', async (t) => {
    // What is sent to a connection that is dying stays locked for a while.
    const queue = await endpoint.queue(t, { lockDuration: 'PT5S' });
    const { port, cut } = await cutter(t, endpoint.port);
    const sender = endpoint.connect(t).createSender(queue);
    const receiver = endpoint.connect(t, { port }).createReceiver(queue);
    const seen = [];
    let notify;
    receiver.subscribe({
      async processMessage(m) {
        seen.push(m.body);
        notify();
      },
      async processError() {}, // it is told of the cut
    });
    for (const body of ['one', 'two', 'three']) {
      const arrived = new Promise((resolve) => (notify = resolve));
      await sender.sendMessages({ body });
      await arrived;
      await endpoint.empty(queue);
      cut();
    }
    assert.deepEqual(seen, ['one', 'two', 'three']);
  });

  test('a session is given back by a cut connection', async (t) => {
    const queue = await endpoint.queue(t, { requiresSession: true });
    const { port, cut } = await cutter(t, endpoint.port);
    const lost = await endpoint.connect(t, { port }).acceptSession(queue, 's');
    const other = endpoint.connect(t);
    await other.createSender(queue).sendMessages({ body: 'a', sessionId: 's' });
    await receiveOne(lost);
    cut();
    const session = await other.acceptNextSession(queue);
    assert.equal((await receiveOne(session)).deliveryCount, 0);
  });
});
