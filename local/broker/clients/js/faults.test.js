// Faults on demand, and what the client makes of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { bodies, numbers, overEveryTransport, receive, receiveOne } from './endpoint.js';

overEveryTransport('faults', (endpoint) => {
  test('a busy service is asked again', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    await sender.sendMessages({ body: 0 }); // so that there is a link
    await endpoint.inject({ kind: 'busy', entity: queue, count: 2 });
    await sender.sendMessages({ body: 1 });
    assert.deepEqual(bodies(await receive(receiver, 2)), [0, 1]);
    const impatient = endpoint.connect(t, { retryOptions: { maxRetries: 0 } }).createSender(queue);
    await endpoint.inject({ kind: 'busy', entity: queue });
    await assert.rejects(impatient.sendMessages({ body: 2 }), { code: 'ServiceBusy', retryable: true });
  });

  for (const kind of ['drop-connections', 'detach-links']) {
    test(`${kind}: senders and receivers go on`, async (t) => {
      const { sender, receiver, queue } = await endpoint.open(t, { lockDuration: 'PT5S' });
      for (const body of numbers(3)) {
        await sender.sendMessages({ body });
        const message = await receiveOne(receiver);
        assert.equal(message.body, body);
        await receiver.completeMessage(message);
        await endpoint.inject({ kind, entity: queue });
        await wait(100); // until the client has noticed
      }
    });
  }

  test('a delay is no loss', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    await endpoint.inject({ kind: 'delay', entity: queue, delay: '300ms' });
    const before = Date.now();
    await sender.sendMessages({ body: 'late' });
    assert.ok(Date.now() - before >= 300);
    assert.equal((await receiveOne(receiver)).body, 'late');
  });

  test('a delivery comes twice', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    await endpoint.inject({ kind: 'duplicate', entity: queue });
    await sender.sendMessages({ body: 'a' });
    const [first, second] = await receive(receiver, 2);
    assert.deepEqual([first.messageId, first.deliveryCount, second.deliveryCount], [second.messageId, 0, 1]);
    await assert.rejects(receiver.completeMessage(first), { code: 'MessageLockLost' });
    await receiver.completeMessage(second);
  });

  test('faults that there are none of', async (t) => {
    const queue = await endpoint.queue(t);
    for (const fault of [{ kind: 'flood' }, { kind: 'busy', entity: 'nowhere' }, { kind: 'busy', entity: queue, probability: 2 }]) {
      await assert.rejects(endpoint.inject(fault), /inject a fault: 4/);
    }
  });
});
