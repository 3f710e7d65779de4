// Receivers that stream.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { bodies, numbers, overEveryTransport } from './endpoint.js';

// stream subscribes and resolves when n messages were handled.
function stream(receiver, n, handle = async () => {}, options = {}) {
  const seen = [];
  let running = 0, most = 0, subscription;
  const done = new Promise((resolve, reject) => {
    subscription = receiver.subscribe({
      async processMessage(m) {
        most = Math.max(most, ++running);
        await handle(m, receiver);
        running--;
        seen.push(m);
        if (seen.length >= n) resolve();
      },
      async processError({ error }) { reject(error); },
    }, options);
  });
  return done.then(() => ({ seen, most, subscription }));
}

overEveryTransport('streaming', (endpoint) => {
  test('subscribe completes by itself, one by one', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    await sender.sendMessages(numbers(50).map((body) => ({ body })));
    const { seen, most, subscription } = await stream(receiver, 50);
    assert.deepEqual(bodies(seen), numbers(50));
    assert.equal(most, 1);
    await subscription.close();
    await receiver.close();
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
  });

  test('subscribe handles several at once', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    const streaming = stream(receiver, 60, () => wait(20), { maxConcurrentCalls: 8 });
    for (const page of numbers(3)) await sender.sendMessages(numbers(20).map((i) => ({ body: 20 * page + i })));
    const { seen, most } = await streaming;
    assert.deepEqual(bodies(seen).sort((a, b) => a - b), numbers(60));
    assert.equal(most, 8);
  });

  test('subscribe leaves settlement to the handler', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t, { maxDeliveryCount: 2 });
    await sender.sendMessages(numbers(10).map((body) => ({ body })));
    await stream(receiver, 15, (m, r) => (m.body % 2 ? r.abandonMessage(m) : r.completeMessage(m)), { autoCompleteMessages: false });
    await receiver.close();
    const counts = await endpoint.admin.getQueueRuntimeProperties(queue);
    assert.deepEqual([counts.activeMessageCount, counts.deadLetterMessageCount], [0, 5]);
  });

  test('a handler that fails abandons', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a' });
    const counts = [];
    await new Promise((resolve) => {
      receiver.subscribe({
        async processMessage(m) {
          counts.push(m.deliveryCount);
          if (counts.length < 3) throw new Error('not yet');
          resolve();
        },
        async processError() {},
      });
    });
    assert.deepEqual(counts, [0, 1, 2]);
  });

  test('a long handler keeps its lock', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t, { lockDuration: 'PT6S' });
    await sender.sendMessages({ body: 'a' });
    const { seen } = await stream(receiver, 1, () => wait(7000));
    assert.equal(seen[0].deliveryCount, 0);
    await receiver.close();
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
  });

  test('a closed subscription takes nothing more', async (t) => {
    const { sender, receiver, client, queue } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a' });
    const { subscription } = await stream(receiver, 1);
    await subscription.close();
    await receiver.close();
    await sender.sendMessages({ body: 'b' });
    const { seen } = await stream(client.createReceiver(queue), 1);
    assert.deepEqual(bodies(seen), ['b']);
  });

  test('an iterator', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    await sender.sendMessages(numbers(5).map((body) => ({ body })));
    const seen = [];
    for await (const m of receiver.getMessageIterator()) {
      seen.push(m.body);
      await receiver.completeMessage(m);
      if (seen.length === 5) break;
    }
    assert.deepEqual(seen, numbers(5));
  });
});
