// Errors, and connections that are cut.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import Long from 'long';
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

  test('what does not exist is told by its address', async (t) => {
    const client = endpoint.connect(t, { retryOptions: { ...once_, retryDelayInMs: 100 } }); // a stream tries again
    const topic = `${endpoint.name}-${randomUUID()}`;
    await endpoint.admin.createTopic(topic);
    t.after(() => endpoint.admin.deleteTopic(topic));
    for (const [receiver, path] of [
      [client.createReceiver('nowhere'), 'nowhere'],
      [client.createReceiver('nowhere', { subQueueType: 'deadLetter' }), 'nowhere/$DeadLetterQueue'],
      [client.createReceiver('nowhere', 'never'), 'nowhere/Subscriptions/never'],
      [client.createReceiver(topic, 'never'), `${topic}/Subscriptions/never`],
    ]) {
      const want = { code: 'MessagingEntityNotFound', message: new RegExp(`The messaging entity 'sb://${endpoint.address}/${path.replace('$', '\\$')}' could not be found.`) };
      await assert.rejects(receiver.receiveMessages(1), want);
      const { error, ...told } = await new Promise((resolve) => receiver.subscribe({ async processMessage() {}, processError: resolve }));
      assert.deepEqual([error.code, told.entityPath, told.fullyQualifiedNamespace], ['MessagingEntityNotFound', receiver.entityPath, client.fullyQualifiedNamespace]);
      assert.match(error.message, want.message);
      await receiver.close();
    }
  });

  test('who waits may give up', async (t) => {
    const { queue, client, sender, receiver } = await endpoint.open(t);
    const sessions = await endpoint.queue(t, { requiresSession: true });
    const session = await client.acceptSession(sessions, 's');
    await sender.sendMessages({ body: 'a' });
    for (const operation of [
      (o) => receiver.receiveDeferredMessages([Long.ZERO], o), (o) => sender.scheduleMessages({ body: 'b' }, new Date(), o),
      (o) => sender.cancelScheduledMessages([Long.ZERO], o), (o) => session.getSessionState(o), (o) => session.setSessionState('x', o),
      (o) => session.renewSessionLock(o), (o) => client.acceptNextSession(sessions, o), (o) => endpoint.admin.getQueue(queue, o),
      (o) => client.createReceiver(sessions, { subQueueType: 'deadLetter' }).receiveMessages(1, o),
    ]) {
      const given = new AbortController();
      given.abort();
      await assert.rejects(operation({ abortSignal: given.signal }), { name: 'AbortError' });
    }
    assert.equal((await receiveOne(receiver)).body, 'a');
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

  // idle closes the connection of a client as rhea does when it hears nothing.
  const idle = (of) => of._context.connection._connection.idle();

  test('a client that has heard nothing comes back', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    for (const body of ['one', 'two', 'three']) {
      await sender.sendMessages({ body });
      const message = await receiveOne(receiver);
      assert.equal(message.body, body);
      await receiver.completeMessage(message);
      idle(receiver);
    }
  });

  test('a session is lost with a connection', async (t) => {
    const queue = await endpoint.queue(t, { requiresSession: true });
    const client = endpoint.connect(t);
    const sender = client.createSender(queue);
    await sender.sendMessages({ body: 'a', sessionId: 's' });
    const session = await client.acceptSession(queue, 's');
    assert.equal((await receiveOne(session)).body, 'a');
    const lost = new Promise((resolve) => session.subscribe({ async processMessage() { idle(session); }, async processError({ error }) { resolve(error); } }));
    await sender.sendMessages({ body: 'b', sessionId: 's' });
    assert.equal((await lost).code, 'SessionLockLost');
    await assert.rejects(session.receiveMessages(1), /session lock has expired/);
    const again = await client.acceptSession(queue, 's');
    assert.equal((await receiveOne(again)).body, 'a');
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
