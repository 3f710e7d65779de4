// Peeking, scheduling, duplicates, time to live.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import Long from 'long';
import { bodies, nothing, numbers, overEveryTransport, receive, receiveOne } from './endpoint.js';

overEveryTransport('queue', (endpoint) => {
  test('peek goes on where it stopped', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    await sender.sendMessages(numbers(25).map((body) => ({ body })));
    const pages = [await receiver.peekMessages(10), await receiver.peekMessages(10), await receiver.peekMessages(10)];
    assert.deepEqual(pages.map((p) => p.length), [10, 10, 5]);
    assert.deepEqual(pages.flatMap(bodies), numbers(25));
    assert.equal((await receiver.peekMessages(10)).length, 0);
    const from = await receiver.peekMessages(3, { fromSequenceNumber: Long.fromNumber(21) });
    assert.deepEqual(bodies(from), [20, 21, 22]);
    assert.equal(from[0].lockToken, undefined);
    await receive(receiver, 25); // peeking locked nothing
    assert.equal((await endpoint.connect(t).createReceiver(queue).peekMessages(100)).length, 25);
  });

  test('scheduled messages come in time, unless they are cancelled', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    const later = new Date(Date.now() + 3_600_000);
    const [first, second, third] = await sender.scheduleMessages(['a', 'b', 'c'].map((body) => ({ body })), later);
    assert.ok(first.lessThan(second));
    assert.deepEqual((await receiver.peekMessages(10)).map((m) => m.state), numbers(3).map(() => 'scheduled'));
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).scheduledMessageCount, 3);
    await sender.cancelScheduledMessages([first, third]);
    await sender.cancelScheduledMessages(second);
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
    const soon = new Date(Date.now() + 500);
    await sender.scheduleMessages({ body: 'kept' }, soon);
    await sender.sendMessages({ body: 'by annotation', scheduledEnqueueTimeUtc: soon });
    const got = await receive(receiver, 2);
    assert.deepEqual(bodies(got).sort(), ['by annotation', 'kept']);
    assert.ok(got[0].enqueuedTimeUtc >= soon);
    assert.equal(+got[0].scheduledEnqueueTimeUtc, +soon);
    assert.ok(await nothing(receiver));
  });

  test('duplicates are dropped within the window', async (t) => {
    const { sender, receiver } = await endpoint.open(t, {
      requiresDuplicateDetection: true, duplicateDetectionHistoryTimeWindow: 'PT20S',
    }, { receiveMode: 'receiveAndDelete' });
    for (const messageId of ['a', 'b', 'a']) await sender.sendMessages({ body: messageId, messageId });
    await sender.sendMessages([{ body: 'b', messageId: 'b' }, { body: 'c', messageId: 'c' }]);
    assert.deepEqual(bodies(await receive(receiver, 3)), ['a', 'b', 'c']);
    await sender.sendMessages({ body: 'a', messageId: 'a' }); // remembered though it is gone
    assert.ok(await nothing(receiver));
  });

  test('what outlives its time is gone, or a dead letter', async (t) => {
    const gone = await endpoint.open(t);
    const dead = await endpoint.open(t, { deadLetteringOnMessageExpiration: true, defaultMessageTimeToLive: 'PT1S' });
    await gone.sender.sendMessages([{ body: 'short', timeToLive: 500 }, { body: 'long', timeToLive: 60_000 }]);
    await dead.sender.sendMessages({ body: 'short' });
    const letters = dead.client.createReceiver(dead.queue, { subQueueType: 'deadLetter' });
    const letter = await receiveOne(letters);
    assert.deepEqual([letter.body, letter.deadLetterReason], ['short', 'TTLExpiredException']);
    assert.deepEqual(bodies(await receive(gone.receiver, 1)), ['long']);
    assert.ok(await nothing(dead.receiver));
  });

  test('a queue forwards what it takes', async (t) => {
    const last = await endpoint.open(t);
    const first = await endpoint.open(t, { forwardTo: last.queue });
    await first.sender.sendMessages({ body: 'a' });
    assert.equal((await receiveOne(last.receiver)).body, 'a');
  });

  test('dead letters are forwarded too', async (t) => {
    const last = await endpoint.open(t);
    const { sender, receiver } = await endpoint.open(t, { forwardDeadLetteredMessagesTo: last.queue, maxDeliveryCount: 1 });
    await sender.sendMessages([{ body: 'a' }, { body: 'b' }]);
    const [a, b] = await receive(receiver, 2);
    await receiver.deadLetterMessage(a, { deadLetterReason: 'why' });
    await receiver.abandonMessage(b);
    assert.deepEqual((await receive(last.receiver, 2)).map((m) => [m.body, m.deadLetterReason]), [['a', 'why'], ['b', 'MaxDeliveryCountExceeded']]);
  });

  test('a queue is closed and opened again', async (t) => {
    const { queue } = await endpoint.open(t);
    const set = async (status) => endpoint.admin.updateQueue({ ...(await endpoint.admin.getQueue(queue)), status });
    const client = endpoint.connect(t, { retryOptions: { maxRetries: 0, timeoutInMs: 10_000 } });
    const send = () => client.createSender(queue).sendMessages({ body: 'a' });
    const take = () => receiveOne(client.createReceiver(queue, { receiveMode: 'receiveAndDelete' }));
    const closed = { code: 'MessagingEntityDisabled' };
    for (const [status, sends, receives] of [
      ['SendDisabled', false, null], ['Active', true, null], ['ReceiveDisabled', true, false], ['Disabled', false, false], ['Active', true, true],
    ]) {
      await set(status);
      assert.equal((await endpoint.admin.getQueue(queue)).status, status);
      await (sends ? send() : assert.rejects(send, closed, status));
      if (receives !== null) await (receives ? take() : assert.rejects(take, closed, status));
    }
  });

  test('an update detaches links, and the clients come back', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    await sender.sendMessages({ body: 'before' });
    await receiver.completeMessage(await receiveOne(receiver));
    const properties = await endpoint.admin.getQueue(queue);
    properties.maxDeliveryCount = 7;
    await endpoint.admin.updateQueue(properties);
    await wait(100); // until the client has read the detaches
    await sender.sendMessages({ body: 'after' });
    assert.equal((await receiveOne(receiver)).body, 'after');
    assert.equal((await endpoint.admin.getQueue(queue)).maxDeliveryCount, 7);
  });
});
