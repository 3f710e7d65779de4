// What is sent is what is received.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import rhea from 'rhea';
import { bodies, nothing, numbers, overEveryTransport, receive, receiveOne } from './endpoint.js';

const { types } = rhea;

overEveryTransport('messages', (endpoint) => {
  test('peek-lock keeps a message until it is completed', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t);
    await sender.sendMessages({ body: 'a' });
    const message = await receiveOne(receiver);
    assert.equal(message.body, 'a');
    assert.equal(message.deliveryCount, 0);
    assert.match(message.lockToken, /^[0-9a-f-]{36}$/);
    const left = message.lockedUntilUtc - Date.now();
    assert.ok(left > 50_000 && left <= 61_000, `locked for ${left} ms`);
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).activeMessageCount, 1);
    await receiver.completeMessage(message);
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).activeMessageCount, 0);
  });

  test('receive-and-delete keeps nothing', async (t) => {
    const { sender, receiver, queue } = await endpoint.open(t, {}, { receiveMode: 'receiveAndDelete' });
    await sender.sendMessages(numbers(20).map((body) => ({ body })));
    assert.deepEqual(bodies(await receive(receiver, 20)), numbers(20));
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 0);
  });

  test('a receiver that waits gets what is sent later', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    const waiting = receiver.receiveMessages(1, { maxWaitTimeInMs: 10_000 });
    await sender.sendMessages({ body: 'late' });
    assert.deepEqual(bodies(await waiting), ['late']);
  });

  test('an empty queue gives nothing in time, and the receiver goes on', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    assert.ok(await nothing(receiver));
    await sender.sendMessages({ body: 'a' });
    assert.equal((await receiveOne(receiver)).body, 'a');
  });

  test('a batch holds what fits and keeps its order', async (t) => {
    const { sender, receiver } = await endpoint.open(t, {}, { receiveMode: 'receiveAndDelete' });
    const batch = await sender.createMessageBatch();
    assert.equal(batch.maxSizeInBytes, 1 << 20);
    const sent = numbers(200);
    for (const i of sent) assert.ok(batch.tryAddMessage({ body: i, messageId: `m${i}`, applicationProperties: { i } }));
    assert.ok(!batch.tryAddMessage({ body: Buffer.alloc(1 << 20) }));
    await sender.sendMessages(batch);
    const received = await receive(receiver, 200);
    assert.deepEqual(bodies(received), sent);
    assert.deepEqual(received.map((m) => m.messageId), sent.map((i) => `m${i}`));
    assert.deepEqual(received.map((m) => m.applicationProperties.i), sent);
  });

  test('an array is sent as a batch', async (t) => {
    const { sender, receiver } = await endpoint.open(t, {}, { receiveMode: 'receiveAndDelete' });
    await sender.sendMessages([{ body: 'a' }, { body: 'b', contentType: 'text/plain' }]);
    const [a, b] = await receive(receiver, 2);
    assert.deepEqual([a.body, a.contentType, b.body, b.contentType], ['a', undefined, 'b', 'text/plain']);
  });

  test('system properties', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    const sent = {
      body: 'x', messageId: 'id', contentType: 'text/plain', correlationId: 'c', partitionKey: 'p', subject: 's', to: 't',
      replyTo: 'r', replyToSessionId: 'rs', timeToLive: 60_000,
    };
    await sender.sendMessages(sent);
    const message = await receiveOne(receiver);
    for (const [name, value] of Object.entries(sent)) assert.equal(message[name], value, name);
    assert.equal(message.state, 'active');
    assert.equal(message.sequenceNumber.toNumber(), 1);
    assert.ok(Math.abs(message.enqueuedTimeUtc - Date.now()) < 10_000);
    assert.equal(message.expiresAtUtc - message.enqueuedTimeUtc, 60_000);
  });

  test('types of application properties', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    const when = new Date('2026-01-02T03:04:05.678Z');
    const uuid = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
    const sent = {
      text: 'ü', yes: true, no: false, whole: 12, negative: -1, half: 0.5, nothing: null, when,
      ubyte: types.wrap_ubyte(200), ushort: types.wrap_ushort(60_000), uint: types.wrap_uint(4_000_000_000),
      ulong: types.wrap_ulong(5_000_000_000), byte: types.wrap_byte(-100), short: types.wrap_short(-30_000),
      int: types.wrap_int(-2_000_000_000), long: types.wrap_long(-5_000_000_000), float: types.wrap_float(0.25),
      double: types.wrap_double(1e300), binary: types.wrap_binary(Buffer.from([0, 255])), symbol: types.wrap_symbol('sym'),
      uuid: types.wrap_uuid(uuid), char: types.wrap(0x1f600, 0x73),
    };
    await sender.sendMessages({ body: '', applicationProperties: sent });
    const { applicationProperties: got, _rawAmqpMessage: raw } = await receiveOne(receiver);
    // The client turns Buffers into plain objects on their way.
    assert.deepEqual(Object.values(got.binary), [0, 255]);
    assert.deepEqual(Object.values(got.uuid), [...uuid]);
    const plain = {
      ...sent, ubyte: 200, ushort: 60_000, uint: 4_000_000_000, ulong: 5_000_000_000, byte: -100, short: -30_000,
      int: -2_000_000_000, long: -5_000_000_000, float: 0.25, double: 1e300, symbol: 'sym',
      uuid, char: 0x1f600,
    };
    assert.deepEqual(Object.keys(got), Object.keys(plain));
    for (const [name, value] of Object.entries(plain)) {
      if (name === 'binary' || name === 'uuid') continue;
      assert.deepEqual(got[name] instanceof Date ? +got[name] : got[name], value instanceof Date ? +value : value, name);
    }
    assert.ok(raw);
  });

  test('body kinds', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    const bodiesSent = [
      { bodyType: 'data', body: Buffer.from([0, 1, 254, 255]) },
      { bodyType: 'data', body: Buffer.alloc(0) },
      { bodyType: 'data', body: { json: [1, 'two', null] } },
      { bodyType: 'value', body: 'text' },
      { bodyType: 'value', body: 42 },
      { bodyType: 'value', body: true },
      { bodyType: 'value', body: null },
      { bodyType: 'value', body: { a: 1, b: ['x'] } },
      { bodyType: 'sequence', body: [[1, 'two', true]] },
      { bodyType: 'sequence', body: [[1, 2], ['three']] },
    ];
    for (const sent of bodiesSent) await sender.sendMessages({ ...sent, messageId: 'm' });
    const received = await receive(receiver, bodiesSent.length);
    received.forEach((message, i) => {
      const { bodyType, body } = message._rawAmqpMessage;
      assert.equal(bodyType, bodiesSent[i].bodyType, `kind of body ${i}`);
      // The client makes an object of the parts of a sequence.
      if (bodyType === 'sequence') assert.ok(JSON.stringify(body).includes(JSON.stringify(bodiesSent[i].body[0]).slice(1, -1)), `body ${i}`);
      else assert.deepEqual(message.body, bodiesSent[i].body, `body ${i}`);
    });
  });

  test('annotations and header', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    await sender.sendMessages({
      bodyType: 'data', body: 'x',
      header: { durable: true, priority: 7, timeToLive: 30_000 },
      properties: { messageId: 'm', subject: 's', groupId: undefined, userId: 'nobody' },
      messageAnnotations: { 'x-own': 'mine', 'x-number': 12 },
      deliveryAnnotations: { 'x-way': 'out' },
      applicationProperties: { a: 1 },
    });
    const { _rawAmqpMessage: raw } = await receiveOne(receiver);
    assert.equal(raw.header.durable, true);
    assert.equal(raw.header.priority, 7);
    assert.equal(raw.header.timeToLive, 30_000);
    assert.equal(raw.messageAnnotations['x-own'], 'mine');
    assert.equal(raw.messageAnnotations['x-number'], 12);
    assert.equal(raw.properties.subject, 's');
  });

  test('a large message goes over many frames, a larger one is refused', async (t) => {
    const { sender, receiver } = await endpoint.open(t);
    const body = Buffer.alloc(1_000_000, 'abc');
    await sender.sendMessages({ body });
    const message = await receiveOne(receiver);
    assert.ok(body.equals(message.body));
    await receiver.completeMessage(message);
    await assert.rejects(sender.sendMessages({ body: Buffer.alloc((1 << 20) + 1) }), { code: 'MessageSizeExceeded' });
    await sender.sendMessages({ body: 'goes on' });
    assert.equal((await receiveOne(receiver)).body, 'goes on');
  });

  test('several senders and receivers share a queue', async (t) => {
    const queue = await endpoint.queue(t);
    const seen = new Set();
    await Promise.all(numbers(4).map(async (n) => {
      const sender = endpoint.connect(t).createSender(queue);
      await sender.sendMessages(numbers(50).map((i) => ({ body: `${n}-${i}` })));
    }));
    await Promise.all(numbers(4).map(async () => {
      const receiver = endpoint.connect(t).createReceiver(queue);
      for (;;) {
        const some = await receiver.receiveMessages(20, { maxWaitTimeInMs: 500 });
        if (some.length === 0) return;
        for (const m of some) {
          assert.ok(!seen.has(m.body), `${m.body} came twice`);
          seen.add(m.body);
        }
        await Promise.all(some.map((m) => receiver.completeMessage(m)));
      }
    }));
    assert.equal(seen.size, 200);
  });
});
