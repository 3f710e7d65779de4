// Messages that are received by session.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { bodies, numbers, overEveryTransport, receive, receiveOne } from './endpoint.js';

const sessionful = { requiresSession: true };

overEveryTransport('sessions', (endpoint) => {
  // open makes a queue with sessions, a client and a sender.
  async function open(t, options) {
    const queue = await endpoint.queue(t, { ...sessionful, ...options });
    const client = endpoint.connect(t);
    return { queue, client, sender: client.createSender(queue) };
  }

  test('a named session keeps its order', async (t) => {
    const { queue, client, sender } = await open(t);
    for (const body of numbers(30)) await sender.sendMessages({ body, sessionId: `s${body % 3}` });
    const session = await client.acceptSession(queue, 's1');
    assert.equal(session.sessionId, 's1');
    const left = session.sessionLockedUntilUtc - Date.now();
    assert.ok(left > 50_000 && left <= 61_000, `locked for ${left} ms`);
    const messages = await receive(session, 10);
    assert.deepEqual(bodies(messages), numbers(10).map((i) => 3 * i + 1));
    assert.ok(messages.every((m) => m.sessionId === 's1'));
    for (const m of messages) await session.completeMessage(m);
    await session.close();
  });

  test('a session that is not completed is given back in order', async (t) => {
    const { queue, client, sender } = await open(t);
    await sender.sendMessages(numbers(4).map((body) => ({ body, sessionId: 's' })));
    const first = await client.acceptSession(queue, 's');
    const messages = await receive(first, 3);
    await first.completeMessage(messages[0]);
    await first.close();
    const second = await client.acceptNextSession(queue);
    assert.equal(second.sessionId, 's');
    const again = await receive(second, 3);
    assert.deepEqual(bodies(again), [1, 2, 3]);
    assert.deepEqual(again.map((m) => m.deliveryCount), [0, 0, 0]);
  });

  test('a session may be empty', async (t) => {
    const { queue, client, sender } = await open(t);
    const session = await client.acceptSession(queue, 'nothing yet');
    await sender.sendMessages({ body: 'a', sessionId: 'nothing yet' });
    assert.equal((await receiveOne(session)).body, 'a');
  });

  test('the next session is one that nobody holds', async (t) => {
    const { queue, client, sender } = await open(t);
    await sender.sendMessages(['a', 'b', 'c'].map((sessionId) => ({ body: sessionId, sessionId })));
    const sessions = await Promise.all(numbers(3).map(() => client.acceptNextSession(queue)));
    assert.deepEqual(sessions.map((s) => s.sessionId).sort(), ['a', 'b', 'c']);
    for (const s of sessions) assert.equal((await receiveOne(s)).body, s.sessionId);
  });

  test('accepting waits for a session, and not for ever', async (t) => {
    const { queue, client, sender } = await open(t);
    const waiting = client.acceptNextSession(queue);
    await sender.sendMessages({ body: 'late', sessionId: 'late' });
    const session = await waiting;
    assert.equal((await receiveOne(session)).body, 'late');
    const impatient = endpoint.connect(t, { retryOptions: { maxRetries: 0, timeoutInMs: 1000 } });
    await assert.rejects(impatient.acceptNextSession(queue), (err) => {
      assert.match(`${err.code} ${err.name}`, /ServiceTimeout|OperationTimeoutError|SessionCannotBeLocked/);
      return true;
    });
  });

  test('a session that is held is refused', async (t) => {
    const { queue, client } = await open(t);
    const session = await client.acceptSession(queue, 's');
    const other = endpoint.connect(t, { retryOptions: { maxRetries: 0 } });
    await assert.rejects(other.acceptSession(queue, 's'), { code: 'SessionCannotBeLocked' });
    await session.close();
    await (await other.acceptSession(queue, 's')).close();
  });

  test('state outlives the receiver', async (t) => {
    const { queue, client } = await open(t);
    const first = await client.acceptSession(queue, 's');
    assert.equal(await first.getSessionState(), null);
    await first.setSessionState({ step: 1 });
    assert.deepEqual(await first.getSessionState(), { step: 1 });
    await first.setSessionState(Buffer.from('step 2'));
    await first.close();
    const second = await client.acceptSession(queue, 's');
    assert.equal(String(await second.getSessionState()), 'step 2');
    await second.setSessionState(null);
    assert.equal(await second.getSessionState(), null);
  });

  test('a lock on a session is renewed, and lost without', async (t) => {
    const { queue, client, sender } = await open(t);
    await sender.sendMessages({ body: 'a', sessionId: 's' });
    const session = await client.acceptSession(queue, 's', { maxAutoLockRenewalDurationInMs: 0 });
    const message = await receiveOne(session);
    const before = session.sessionLockedUntilUtc;
    await wait(1000);
    assert.ok((await session.renewSessionLock()) - before > 900);
    await endpoint.loseLocks(queue);
    await wait(1000); // a client that closes the link answers nobody meanwhile
    await assert.rejects(session.completeMessage(message), { code: 'SessionLockLost' });
    await assert.rejects(session.renewSessionLock(), { code: 'SessionLockLost' });
    await assert.rejects(session.getSessionState(), { code: 'SessionLockLost' });
    const again = await client.acceptSession(queue, 's');
    assert.equal((await receiveOne(again)).deliveryCount, 1);
  });

  test('peek, defer and settle in a session', async (t) => {
    const { queue, client, sender } = await open(t);
    await sender.sendMessages(['a', 'b'].flatMap((sessionId) => numbers(3).map((i) => ({ body: sessionId + i, sessionId }))));
    const session = await client.acceptSession(queue, 'b');
    assert.deepEqual(bodies(await session.peekMessages(10)), ['b0', 'b1', 'b2']);
    const [b0, b1, b2] = await receive(session, 3);
    await session.deferMessage(b0);
    await session.abandonMessage(b1, { again: true });
    await session.deadLetterMessage(b2, { deadLetterReason: 'r', deadLetterErrorDescription: 'd' });
    const b1Again = await receiveOne(session);
    assert.deepEqual([b1Again.body, b1Again.deliveryCount, b1Again.applicationProperties.again], ['b1', 1, true]);
    await session.completeMessage(b1Again);
    const [deferred] = await session.receiveDeferredMessages(b0.sequenceNumber);
    assert.equal(deferred.body, 'b0');
    await session.completeMessage(deferred);
    const dead = await receiveOne(client.createReceiver(queue, { subQueueType: 'deadLetter' }));
    assert.deepEqual([dead.body, dead.sessionId, dead.deadLetterReason], ['b2', 'b', 'r']);
  });

  test('receive-and-delete in a session', async (t) => {
    const { queue, client, sender } = await open(t);
    await sender.sendMessages(numbers(20).map((body) => ({ body, sessionId: 's' })));
    const session = await client.acceptNextSession(queue, { receiveMode: 'receiveAndDelete' });
    assert.deepEqual(bodies(await receive(session, 20)), numbers(20));
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
  });

  test('a scheduled message joins its session', async (t) => {
    const { queue, client, sender } = await open(t);
    await sender.scheduleMessages({ body: 'a', sessionId: 's' }, new Date(Date.now() + 500));
    const session = await client.acceptNextSession(queue);
    assert.deepEqual([session.sessionId, (await receiveOne(session)).body], ['s', 'a']);
  });

  test('subscribe in a session', async (t) => {
    const { queue, client, sender } = await open(t);
    await sender.sendMessages(numbers(50).map((body) => ({ body, sessionId: 's' })));
    const session = await client.acceptSession(queue, 's');
    const seen = [];
    await new Promise((resolve, reject) => {
      session.subscribe({
        async processMessage(m) {
          seen.push(m.body);
          if (seen.length === 50) resolve();
        },
        async processError({ error }) { reject(error); },
      });
    });
    assert.deepEqual(seen, numbers(50));
  });

  test('with sessions or without, never both', async (t) => {
    const { queue, client, sender } = await open(t);
    const plain = await endpoint.queue(t);
    await assert.rejects(client.acceptSession(plain, 's'), { name: 'ServiceBusError' });
    await assert.rejects(receiveOne(client.createReceiver(queue)));
    await assert.rejects(sender.sendMessages({ body: 'no session' }), /SessionId was not set/);
  });
});
