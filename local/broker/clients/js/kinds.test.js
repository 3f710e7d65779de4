// The same on every kind of entity: queues and subscriptions, with sessions and
// without, with partitions and without.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { bodies, nothing, numbers, overEveryTransport, receive, receiveOne } from './endpoint.js';

const kinds = [];
for (const subscription of [false, true]) {
  for (const sessions of [false, true]) {
    for (const partitions of [false, true]) {
      const name = [partitions ? 'partitioned ' : '', subscription ? 'subscription' : 'queue', sessions ? ' with sessions' : ''].join('');
      kinds.push({ name, subscription, sessions, partitions });
    }
  }
}

overEveryTransport('every kind', (endpoint) => {
  // open makes an entity of a kind, with a client, a sender and ways to receive.
  async function open(t, kind, options = {}) {
    const name = `${endpoint.name}-${randomUUID()}`;
    const own = { requiresSession: kind.sessions, ...options };
    if (kind.subscription) {
      await endpoint.admin.createTopic(name, { enablePartitioning: kind.partitions });
      t.after(() => endpoint.admin.deleteTopic(name));
      await endpoint.admin.createSubscription(name, 's', own);
    } else {
      await endpoint.admin.createQueue(name, { ...own, enablePartitioning: kind.partitions });
      t.after(() => endpoint.admin.deleteQueue(name));
    }
    const client = endpoint.connect(t);
    const path = kind.subscription ? [name, 's'] : [name];
    return {
      client,
      path: path.join('/Subscriptions/'),
      sender: client.createSender(name),
      receiver: (more = {}) => (kind.sessions ? client.acceptSession(...path, 'mine', more) : client.createReceiver(...path, more)),
      dead: client.createReceiver(...path, { subQueueType: 'deadLetter' }),
      async total() {
        const of = kind.subscription ? await endpoint.admin.getSubscriptionRuntimeProperties(...path) : await endpoint.admin.getQueueRuntimeProperties(name);
        return of.totalMessageCount;
      },
    };
  }

  // sample is a message with every property.
  const sample = (kind, body = randomUUID()) => ({
    body, messageId: `id ${body}`, contentType: `type ${body}`, correlationId: `correlation ${body}`, timeToLive: 86_400, subject: `label ${body}`,
    to: `to ${body}`, replyTo: `reply ${body}`, scheduledEnqueueTimeUtc: new Date(), partitionKey: kind.sessions ? 'mine' : 'dummy',
    applicationProperties: { one: 1, two: 'two', three: true, four: 4.5 },
    ...(kind.sessions && { sessionId: 'mine', replyToSessionId: 'other' }),
  });

  for (const kind of kinds) {
    test(`${kind.name}: all properties come through`, async (t) => {
      const { sender, receiver, total } = await open(t, kind);
      const one = sample(kind), several = [sample(kind), sample(kind)];
      await sender.sendMessages(one);
      await sender.sendMessages(several);
      const r = await receiver();
      const got = await receive(r, 3);
      for (const [i, want] of [one, ...several].entries()) {
        const { applicationProperties, scheduledEnqueueTimeUtc, ...plain } = want;
        for (const [name, value] of Object.entries(plain)) assert.equal(got[i][name], value, name);
        assert.deepEqual({ ...got[i].applicationProperties }, applicationProperties);
        assert.equal(+got[i].scheduledEnqueueTimeUtc, +scheduledEnqueueTimeUtc);
        assert.deepEqual([got[i].deliveryCount, got[i].state], [0, 'active']);
      }
      for (const m of got) await r.completeMessage(m);
      assert.deepEqual(await r.peekMessages(1), []);
      assert.equal(await total(), 0);
    });

    test(`${kind.name}: every settlement`, async (t) => {
      const { sender, receiver, dead, total } = await open(t, kind);
      const r = await receiver();
      await sender.sendMessages(sample(kind, 'abandoned'));
      await r.abandonMessage(await receiveOne(r), { own: 'a' });
      assert.equal((await r.peekMessages(10)).length, 1);
      const again = await receiveOne(r);
      assert.deepEqual([again.deliveryCount, again.applicationProperties.own, again.applicationProperties.one], [1, 'a', 1]);
      await r.completeMessage(again);

      await sender.sendMessages(sample(kind, 'deferred'));
      const { sequenceNumber } = await (async () => {
        const m = await receiveOne(r);
        await r.deferMessage(m, { own: 'b' });
        return m;
      })();
      let count = 1;
      const deferred = async () => {
        const [m] = await r.receiveDeferredMessages([sequenceNumber]);
        assert.deepEqual([m.body, m.state, m.deliveryCount], ['deferred', 'deferred', count++]);
        return m;
      };
      assert.deepEqual(await r.receiveDeferredMessages([]), []);
      await r.abandonMessage(await deferred(), { own: 'c' });
      await r.deferMessage(await deferred(), { more: 'd' });
      const { applicationProperties } = await deferred().then(async (m) => (await r.deadLetterMessage(m, { deadLetterReason: 'why', deadLetterErrorDescription: 'how', last: 'e' }), m));
      assert.deepEqual([applicationProperties.own, applicationProperties.more], ['c', 'd']);
      const letter = await receiveOne(dead);
      assert.deepEqual([letter.body, letter.deadLetterReason, letter.deadLetterErrorDescription, letter.applicationProperties.last, letter.deliveryCount],
        ['deferred', 'why', 'how', 'e', 3]);
      await dead.completeMessage(letter);
      assert.deepEqual(await dead.peekMessages(1), []);
      assert.equal(await total(), 0);
    });

    test(`${kind.name}: settling dead letters`, async (t) => {
      const { sender, receiver, dead, total, path } = await open(t, kind);
      const r = await receiver();
      await sender.sendMessages(sample(kind));
      await r.deadLetterMessage(await receiveOne(r), { deadLetterReason: 'why' });
      const letter = await receiveOne(dead);
      assert.deepEqual([letter.deliveryCount, letter.deadLetterReason], [0, 'why']);
      await dead.abandonMessage(letter);
      const again = await receiveOne(dead);
      assert.equal(again.deliveryCount, 0); // nobody counts there
      await assert.rejects(dead.deadLetterMessage(again), { code: 'GeneralError' });
      await endpoint.loseLocks(path);
      const third = await receiveOne(dead);
      assert.equal(third.deliveryCount, 0);
      await dead.deferMessage(third);
      const [deferred] = await dead.receiveDeferredMessages(third.sequenceNumber);
      await dead.completeMessage(deferred);
      assert.equal(await total(), 0);
    });

    test(`${kind.name}: too many deliveries`, async (t) => {
      const { sender, receiver, dead } = await open(t, kind, { maxDeliveryCount: 4 });
      await sender.sendMessages(sample(kind, 'm'));
      const r = await receiver();
      for (const count of numbers(4)) {
        const m = await receiveOne(r);
        assert.equal(m.deliveryCount, count);
        await r.abandonMessage(m);
      }
      assert.deepEqual(await r.peekMessages(1), []);
      const letter = await receiveOne(dead);
      assert.deepEqual([letter.body, letter.deadLetterReason], ['m', 'MaxDeliveryCountExceeded']);
    });

    test(`${kind.name}: receive and delete`, async (t) => {
      const { sender, receiver, total } = await open(t, kind);
      const locking = await receiver();
      await sender.sendMessages([sample(kind, 'deferred'), sample(kind, 'plain')]);
      const m = await receiveOne(locking);
      await locking.deferMessage(m);
      await locking.close();
      const r = await receiver({ receiveMode: 'receiveAndDelete' });
      const plain = await receiveOne(r);
      assert.deepEqual([plain.body, plain.lockToken], ['plain', undefined]);
      const [deferred] = await r.receiveDeferredMessages(m.sequenceNumber);
      assert.deepEqual([deferred.body, deferred.deliveryCount], ['deferred', 1]);
      for (const settle of ['completeMessage', 'abandonMessage', 'deferMessage', 'deadLetterMessage']) {
        await assert.rejects(r[settle](deferred), /receiveAndDelete/);
      }
      assert.equal(await total(), 0);
    });

    test(`${kind.name}: scheduled messages`, async (t) => {
      const { sender, receiver, total } = await open(t, kind);
      assert.deepEqual(await sender.scheduleMessages([], new Date()), []);
      await sender.cancelScheduledMessages([]);
      const later = new Date(Date.now() + 3_600_000), soon = new Date(Date.now() + 500);
      const [a, b] = await sender.scheduleMessages([sample(kind), sample(kind)], later);
      const [c] = await sender.scheduleMessages(sample(kind), later);
      await sender.scheduleMessages([sample(kind, 'soon')], soon);
      await sender.cancelScheduledMessages([a, b]);
      await sender.cancelScheduledMessages(c);
      const r = await receiver();
      const m = await receiveOne(r);
      assert.equal(m.body, 'soon');
      assert.equal(+m.scheduledEnqueueTimeUtc, +soon);
      assert.ok(m.enqueuedTimeUtc >= soon, `enqueued at ${m.enqueuedTimeUtc?.toISOString()}, to be at ${soon.toISOString()}`);
      await r.completeMessage(m);
      assert.ok(await nothing(r));
      assert.equal(await total(), 0);
    });

    test(`${kind.name}: peeking, and a peeked message is not settled`, async (t) => {
      const { sender, receiver } = await open(t, kind);
      await sender.sendMessages(numbers(3).map((i) => sample(kind, `m${i}`)));
      const r = await receiver();
      const peeked = await r.peekMessages(2);
      assert.deepEqual(bodies(peeked), ['m0', 'm1']);
      assert.deepEqual(bodies(await r.peekMessages(2)), ['m2']);
      for (const settle of ['completeMessage', 'abandonMessage', 'deferMessage', 'deadLetterMessage']) {
        await assert.rejects(r[settle](peeked[0]), /peeked/);
      }
      const [bare] = await r.peekMessages(1, { fromSequenceNumber: peeked[0].sequenceNumber, omitMessageBody: true });
      assert.deepEqual([bare.body, bare.messageId], [undefined, 'id m0']);
      assert.ok(bare._rawAmqpMessage.deliveryAnnotations['omitted-message-body-size'] > 0);
      assert.equal((await receiveOne(r)).body, 'm0');
    });

    test(`${kind.name}: batches of what fits`, async (t) => {
      const { sender, receiver, total } = await open(t, kind);
      const batch = await sender.createMessageBatch();
      const large = (i) => ({ ...sample(kind, 'large'), messageId: `m${i}`, body: Buffer.alloc(20_000) });
      let n = 0;
      while (batch.tryAddMessage(large(n))) n++;
      assert.ok(n > 10, `${n} fit`);
      await sender.sendMessages(batch);
      const small = await sender.createMessageBatch({ maxSizeInBytes: 5000 });
      assert.deepEqual([small.tryAddMessage(sample(kind)), small.tryAddMessage(large(0))], [true, false]);
      await sender.sendMessages(small);
      await assert.rejects(sender.createMessageBatch({ maxSizeInBytes: 30_000_000 }), /greater than maximum message size/);
      await assert.rejects(sender.sendMessages(numbers(60).map(large)), { code: 'MessageSizeExceeded' });
      const r = await receiver({ receiveMode: 'receiveAndDelete' });
      assert.deepEqual((await receive(r, n + 1)).slice(0, n).map((m) => m.messageId), numbers(n).map((i) => `m${i}`));
      assert.equal(await total(), 0);
    });

    // The client subscribes only once in a session.
    if (!kind.sessions) test(`${kind.name}: a subscription to messages that is closed and taken up again`, async (t) => {
      const { sender, receiver } = await open(t, kind);
      const r = await receiver();
      const next = () => new Promise((resolve, reject) => {
        const subscription = r.subscribe({
          async processMessage(m) { resolve({ m, subscription }); },
          async processError({ error }) { reject(error); },
        }, { autoCompleteMessages: false });
      });
      for (const body of ['first', 'second']) {
        await sender.sendMessages(sample(kind, body));
        const { m, subscription } = await next();
        assert.equal(m.body, body);
        await subscription.close();
        await r.completeMessage(m);
      }
      await sender.sendMessages(sample(kind, 'third'));
      assert.equal((await receiveOne(r)).body, 'third');
    });

    test(`${kind.name}: messages as AMQP has them`, async (t) => {
      const { sender, receiver } = await open(t, kind);
      const r = await receiver({ receiveMode: 'receiveAndDelete' });
      const properties = { contentEncoding: 'application/json; charset=utf-8', correlationId: 'c', messageId: 'm', ...(kind.sessions && { groupId: 'mine' }) };
      const sent = {
        body: 'text', bodyType: 'data', properties, footer: { foot: 'note' }, messageAnnotations: { own: 'annotation' },
        header: { deliveryCount: 10, durable: false, firstAcquirer: false, priority: 20, timeToLive: 100_000 },
        applicationProperties: { one: 1, two: 'two', three: true },
      };
      await sender.sendMessages(sent);
      const { _rawAmqpMessage: raw, deliveryCount } = await receiveOne(r);
      assert.deepEqual({ ...raw.header }, { ...sent.header, deliveryCount: 0 });
      assert.equal(deliveryCount, 0);
      assert.deepEqual({ ...raw.footer }, sent.footer);
      assert.deepEqual({ ...raw.applicationProperties }, sent.applicationProperties);
      assert.equal(raw.messageAnnotations.own, 'annotation');
      for (const [name, value] of Object.entries(properties)) assert.equal(raw.properties[name], value, name);

      for (const [bodyType, body] of [
        ['value', [1, 2, 3]], ['value', 1], ['value', 1.5], ['value', 'hello'], ['value', { hello: 'world' }],
        ['sequence', [[1], [2], [3]]], ['sequence', [1, 2, 3]],
        ['data', 1], ['data', 1.5], ['data', 'hello'], ['data', { hello: 'world' }], ['data', Buffer.from('hello')], ['data', [1, 2, 3]],
      ]) {
        const message = { bodyType, body, ...(kind.sessions && { properties: { groupId: 'mine' } }) };
        await sender.sendMessages(message);
        const first = await receiveOne(r);
        await sender.sendMessages(first); // and what was received may be sent again
        await sender.scheduleMessages(message, new Date());
        for (const got of [first, ...(await receive(r, 2))]) {
          assert.equal(got._rawAmqpMessage.bodyType, bodyType);
          assert.deepEqual(got.body, body);
        }
      }
    });
  }
});
