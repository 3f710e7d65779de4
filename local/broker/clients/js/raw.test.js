// A plain AMQP client with a key, over every transport.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import rhea from 'rhea';
import { numbers, overEveryTransport } from './endpoint.js';

const { types } = rhea;

// sent sends messages and waits until all are accepted.
async function sent(connection, target, messages, options = {}) {
  const sender = connection.open_sender({ target, ...options });
  let left = messages.length;
  const settled = new Promise((resolve, reject) => {
    sender.on('accepted', () => --left || resolve());
    sender.on('rejected', ({ delivery }) => reject(Object.assign(new Error('rejected'), delivery.remote_state.error)));
    sender.on('sender_error', () => reject(sender.error));
  });
  await once(sender, 'sendable');
  for (const message of messages) sender.send(message);
  await settled;
  return sender;
}

// open opens a link for receiving, with no credit, and a way to wait for messages.
function open(connection, source, options = {}) {
  const receiver = connection.open_receiver({ source, credit_window: 0, autoaccept: false, ...options });
  const got = [], waiting = [];
  receiver.on('message', (context) => {
    got.push(context);
    waiting.splice(0).forEach((look) => look());
  });
  return {
    receiver, got,
    async reach(n) {
      while (got.length < n) await new Promise((resolve) => waiting.push(resolve));
      return got;
    },
  };
}

// request asks the $management of an entity and returns its answer.
async function request(connection, entity, operation, body) {
  const node = `${entity}/$management`, replyTo = `replies-${operation}`;
  const sender = connection.open_sender(node);
  const receiver = connection.open_receiver({ source: node, target: replyTo, snd_settle_mode: 1 });
  await Promise.all([once(sender, 'sendable'), once(receiver, 'receiver_open')]);
  const answered = once(receiver, 'message');
  sender.send({ message_id: operation, reply_to: replyTo, application_properties: { operation: `com.microsoft:${operation}` }, body });
  const [{ message }] = await answered;
  assert.equal(message.correlation_id, operation);
  for (const link of [sender, receiver]) link.close();
  return { status: message.application_properties.statusCode, body: message.body };
}

overEveryTransport('plain AMQP', (endpoint) => {
  test('a wrong key, and a key without the right', async (t) => {
    const queue = await endpoint.queue(t);
    await assert.rejects(endpoint.raw(t, { password: 'wrong' }));
    const connection = await endpoint.raw(t, { username: 'Sender', password: 'sender-key' });
    await sent(connection, queue, [{ body: 'a' }]);
    const receiver = connection.open_receiver(queue);
    await once(receiver, 'receiver_error');
    assert.equal(receiver.error.condition, 'amqp:unauthorized-access');
  });

  test('a connection with nothing to say stays', async (t) => {
    const queue = await endpoint.queue(t);
    const connection = await endpoint.raw(t, { idle_time_out: 1000 });
    assert.ok(connection.remote.open.idle_time_out > 0);
    let lost = false;
    connection.on('disconnected', () => (lost = true));
    await wait(3500); // rhea gives up after two seconds without a frame
    assert.equal(lost, false);
    await sent(connection, queue, [{ body: 'a' }]);
  });

  test('credit is a limit, and drain gives it back', async (t) => {
    const queue = await endpoint.queue(t);
    const connection = await endpoint.raw(t);
    await sent(connection, queue, numbers(10).map((body) => ({ body })));
    const { receiver, got, reach } = open(connection, queue);
    receiver.add_credit(3);
    await reach(3);
    receiver.drain_credit(); // answered at once where there is none left
    await once(receiver, 'receiver_drained');
    assert.equal(got.length, 3);
    receiver.drain = false;
    receiver.add_credit(100);
    receiver.drain_credit();
    await once(receiver, 'receiver_drained');
    assert.deepEqual([got.length, receiver.credit], [10, 0]);
  });

  test('a session takes no more frames than its window', async (t) => {
    const queue = await endpoint.queue(t);
    const connection = await endpoint.raw(t);
    await sent(connection, queue, numbers(30).map((body) => ({ body })));
    const session = connection.create_session();
    session.local.begin.incoming_window = 10;
    session.open();
    // rhea opens the window again by itself as it reads, so all of them come.
    const { receiver, reach } = open(session, queue);
    receiver.add_credit(30);
    assert.deepEqual((await reach(30)).map((c) => c.message.body), numbers(30));
  });

  test('small frames', async (t) => {
    const queue = await endpoint.queue(t);
    const connection = await endpoint.raw(t, { max_frame_size: 512 });
    const body = Buffer.alloc(300_000, 'abc');
    await sent(connection, queue, [{ body: rhea.message.data_section(body) }]);
    const { receiver, reach } = open(connection, queue);
    receiver.add_credit(1);
    const [{ message, delivery }] = await reach(1);
    assert.ok(body.equals(message.body.content));
    delivery.accept();
    await endpoint.empty(queue);
  });

  test('every settlement', async (t) => {
    const queue = await endpoint.queue(t);
    const connection = await endpoint.raw(t);
    await sent(connection, queue, [{ body: 'a' }]);
    const { receiver, got, reach } = open(connection, queue);
    const next = async () => {
      receiver.add_credit(1);
      return (await reach(got.length + 1)).at(-1);
    };
    const counts = [];
    for (const settle of [
      (d) => d.release(), (d) => d.modified({ delivery_failed: false, undeliverable_here: false }), (d) => d.release({ delivery_failed: true }), (d) => d.reject(),
    ]) {
      const { message, delivery } = await next();
      counts.push(message.delivery_count ?? 0);
      settle(delivery);
    }
    assert.deepEqual(counts, [0, 0, 1, 2]);
    const dead = open(connection, `${queue}/$DeadLetterQueue`);
    dead.receiver.add_credit(1);
    const [{ message, delivery }] = await dead.reach(1);
    assert.equal(message.body, 'a');
    delivery.accept();
  });

  test('settled when sent, both ways', async (t) => {
    const queue = await endpoint.queue(t);
    const connection = await endpoint.raw(t);
    const sender = connection.open_sender({ target: queue, snd_settle_mode: 1 });
    await once(sender, 'sendable');
    for (const body of numbers(5)) sender.send({ body });
    const { receiver, reach } = open(connection, queue, { snd_settle_mode: 1 });
    receiver.add_credit(5);
    const got = await reach(5);
    assert.deepEqual(got.map((c) => c.message.body), numbers(5));
    assert.ok(got.every((c) => c.delivery.remote_settled));
    await endpoint.empty(queue);
  });

  // The client that the other tests use does not know these yet.
  test('deletion of old messages', async (t) => {
    const queue = await endpoint.queue(t);
    const connection = await endpoint.raw(t);
    await sent(connection, queue, numbers(5).map((body) => ({ body })));
    const until = Date.now();
    while (Date.now() <= until + 10) await wait(5);
    await sent(connection, queue, [{ body: 'young' }]);
    const erase = (count) => request(connection, queue, 'batch-delete-messages', { 'message-count': types.wrap_int(count), 'enqueued-time-utc': types.wrap_timestamp(until) });
    assert.deepEqual(await erase(3), { status: 200, body: { 'message-count': 3 } });
    assert.deepEqual(await erase(100), { status: 200, body: { 'message-count': 2 } });
    assert.equal((await erase(100)).status, 204);
    assert.equal((await endpoint.admin.getQueueRuntimeProperties(queue)).totalMessageCount, 1);
  });

  test('a list of sessions', async (t) => {
    const queue = await endpoint.queue(t, { requiresSession: true });
    const connection = await endpoint.raw(t);
    const ids = (since, skip = 0, top = 100) => request(connection, queue, 'get-message-sessions', {
      'last-updated-time': types.wrap_timestamp(since), skip: types.wrap_int(skip), top: types.wrap_int(top),
    });
    const endOfTime = 253402300800000; // asks for those with messages or a state
    assert.equal((await ids(endOfTime)).status, 204);
    await sent(connection, queue, ['a', 'b', 'c'].map((group_id) => ({ body: 'x', group_id })));
    assert.deepEqual((await ids(endOfTime)).body['sessions-ids'], ['a', 'b', 'c']);
    const pages = []; // the client for Java asks for the next page by what is told in the last
    for (let page = await ids(endOfTime, 0, 2); page.status === 200; page = await ids(endOfTime, page.body.skip, 2)) pages.push(page.body['sessions-ids']);
    assert.deepEqual(pages, [['a', 'b'], ['c']]);
    const session = await endpoint.connect(t).acceptSession(queue, 'd');
    await session.setSessionState('x');
    assert.deepEqual((await ids(Date.now() - 60_000)).body['sessions-ids'], ['d']);
    assert.equal((await ids(Date.now() + 60_000)).status, 204);
  });

  test('every type in every place', async (t) => {
    const queue = await endpoint.queue(t);
    const connection = await endpoint.raw(t);
    const values = {
      nothing: null, yes: true, no: false, ubyte: types.wrap_ubyte(255), ushort: types.wrap_ushort(65535), uint: types.wrap_uint(4294967295),
      ulong: types.wrap_ulong(Buffer.from('ffffffffffffffff', 'hex')), byte: types.wrap_byte(-128), short: types.wrap_short(-32768),
      int: types.wrap_int(-2147483648), long: types.wrap_long(Buffer.from('8000000000000000', 'hex')), float: types.wrap_float(1.5),
      double: types.wrap_double(-1e300), char: types.wrap(0x1f600, 0x73), when: types.wrap_timestamp(1700000000123), uuid: types.wrap_uuid(Buffer.alloc(16, 7)),
      binary: types.wrap_binary(Buffer.from([0, 255])), text: 'ü', symbol: types.wrap_symbol('s'),
    };
    const nested = types.wrap_map({ list: types.wrap_list(Object.values(values)), map: types.wrap_map(values), array: types.wrap_array([1, 2], 0x71) });
    await sent(connection, queue, [
      { message_id: 'm', application_properties: values, message_annotations: { 'x-all': nested }, footer: { 'x-all': nested }, body: nested },
      { message_id: 'n', body: rhea.message.data_sections([Buffer.from('a'), Buffer.alloc(0), Buffer.from('b')]) },
      { message_id: 'o', body: rhea.message.sequence_sections([[1, 'two'], [null, nested]]) },
    ]);
    const { receiver, reach } = open(connection, queue);
    receiver.add_credit(3);
    const [{ message: all }, { message: data }, { message: sequence }] = await reach(3);
    // What came is what a message with it would be read as.
    const read = rhea.message.decode(rhea.message.encode({ application_properties: values, message_annotations: { 'x-all': nested }, footer: { 'x-all': nested }, body: nested }));
    assert.deepEqual(all.application_properties, read.application_properties);
    assert.deepEqual(all.message_annotations['x-all'], read.message_annotations['x-all']);
    assert.deepEqual(all.footer, read.footer);
    assert.deepEqual(all.body, read.body);
    assert.deepEqual(data.body.content.map(String), ['a', '', 'b']);
    assert.deepEqual(sequence.body.content, rhea.message.decode(rhea.message.encode({ body: rhea.message.sequence_sections([[1, 'two'], [null, nested]]) })).body.content);
  });
});
