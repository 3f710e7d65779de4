// What becomes of a message that was received.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { nothing, numbers, overEveryTransport, receive, receiveOne } from './endpoint.js';

overEveryTransport('settlement', (endpoint) => {
  test('an abandoned message comes again, counted and changed', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a', applicationProperties: { kept: 'k', tries: 0 } });
    await receiver.abandonMessage(await receiveOne(receiver), { tries: 1, added: 'x', flag: true });
    const message = await receiveOne(receiver);
    assert.equal(message.deliveryCount, 1);
    assert.deepEqual({ ...message.applicationProperties }, { kept: 'k', tries: 1, added: 'x', flag: true });
  });

  test('a dead letter has its reason, description, properties and source', async (t) => {
    const { sender, receiver, client, queue } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a', applicationProperties: { kept: 1 } });
    await receiver.deadLetterMessage(await receiveOne(receiver), {
      deadLetterReason: 'why', deadLetterErrorDescription: 'because', colour: 'red', number: 3,
    });
    assert.ok(await nothing(receiver));
    const dead = client.createReceiver(queue, { subQueueType: 'deadLetter' });
    const message = await receiveOne(dead);
    assert.equal(message.body, 'a');
    assert.equal(message.deadLetterReason, 'why');
    assert.equal(message.deadLetterErrorDescription, 'because');
    assert.equal(message.applicationProperties.colour, 'red');
    assert.equal(message.applicationProperties.number, 3);
    assert.equal(message.applicationProperties.kept, 1);
    await dead.completeMessage(message);
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
  });

  test('a dead letter without a reason', async (t) => {
    const { sender, receiver, client, queue } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a' });
    await receiver.deadLetterMessage(await receiveOne(receiver));
    const dead = client.createReceiver(queue, { subQueueType: 'deadLetter', receiveMode: 'receiveAndDelete' });
    assert.equal((await receiveOne(dead)).body, 'a');
  });

  test('too many deliveries end in the dead-letter queue', async (t) => {
    const { sender, receiver, client, queue } = await endpoint.open(t, { maxDeliveryCount: 3 });
    await sender.sendMessages({ body: 'a' });
    for (const count of numbers(3)) {
      const message = await receiveOne(receiver);
      assert.equal(message.deliveryCount, count);
      await receiver.abandonMessage(message);
    }
    const message = await receiveOne(client.createReceiver(queue, { subQueueType: 'deadLetter' }));
    assert.equal(message.deadLetterReason, 'MaxDeliveryCountExceeded');
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).deadLetterMessageCount, 1);
  });

  test('a deferred message is received by its sequence number only', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    await sender.sendMessages([{ body: 'a' }, { body: 'b' }]);
    const [a, b] = await receive(receiver, 2);
    await receiver.deferMessage(a, { deferred: true });
    await receiver.deferMessage(b);
    assert.ok(await nothing(receiver));
    assert.deepEqual((await receiver.peekMessages(10)).map((m) => m.state), ['deferred', 'deferred']);
    const got = await receiver.receiveDeferredMessages([a.sequenceNumber, b.sequenceNumber]);
    assert.deepEqual(got.map((m) => m.body), ['a', 'b']);
    assert.equal(got[0].applicationProperties.deferred, true);
    assert.equal(got[0].state, 'deferred');
    await receiver.completeMessage(got[0]);
    await receiver.abandonMessage(got[1]); // stays deferred
    const [again] = await receiver.receiveDeferredMessages(b.sequenceNumber);
    assert.equal(again.body, 'b');
    await receiver.deadLetterMessage(again, { deadLetterReason: 'r', deadLetterErrorDescription: 'd' });
    assert.equal((await receiver.peekMessages(10, { fromSequenceNumber: a.sequenceNumber })).length, 0);
    await assert.rejects(receiver.receiveDeferredMessages(b.sequenceNumber), { code: 'MessageNotFound' });
  });

  test('deferred messages are received and deleted', async (t) => {
    const { sender, receiver, client, queue } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a' });
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    const deleting = client.createReceiver(queue, { receiveMode: 'receiveAndDelete' });
    assert.equal((await deleting.receiveDeferredMessages(message.sequenceNumber))[0].body, 'a');
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
  });

  test('a lock is renewed', async (t) => {
    const { sender, client, queue } = await endpoint.open(t);
    const receiver = client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 });
    await sender.sendMessages({ body: 'a' });
    const message = await receiveOne(receiver);
    const before = message.lockedUntilUtc;
    await wait(1000);
    assert.ok((await receiver.renewMessageLock(message)) - before > 900);
    await receiver.completeMessage(message);
  });

  test('a lock that is lost is told of, and the message comes again', async (t) => {
    const { sender, client, queue } = await endpoint.open(t);
    const receiver = client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 });
    await sender.sendMessages({ body: 'a' });
    const lost = await receiveOne(receiver);
    await endpoint.loseLocks(queue);
    await assert.rejects(receiver.renewMessageLock(lost), { code: 'MessageLockLost' });
    await assert.rejects(receiver.completeMessage(lost), { code: 'MessageLockLost' });
    const message = await receiveOne(receiver);
    assert.equal(message.deliveryCount, 1);
    await receiver.completeMessage(message);
  });

  test('a message is settled after its receiver was closed', async (t) => {
    const { sender, receiver, client, queue } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a' });
    const message = await receiveOne(receiver);
    await receiver.close();
    const other = client.createReceiver(queue);
    await other.completeMessage(message);
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
  });

  test('many settlements at once', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    await sender.sendMessages(numbers(300).map((body) => ({ body })));
    const messages = await receive(receiver, 300);
    await Promise.all(messages.map((m) => receiver.completeMessage(m)));
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
  });
});
