// A plain AMQP client, which knows nothing of Service Bus, against muster local --open.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import rhea from 'rhea';
import { announced, numbers } from './endpoint.js';

// connect opens a connection without SASL, which is closed when the test is over.
async function connect(t, options = {}) {
  const connection = rhea.create_container().connect({ host: '127.0.0.1', port: announced.open.amqp_port, reconnect: false, ...options });
  t.after(async () => {
    const closed = once(connection, 'connection_close');
    connection.close();
    await closed;
  });
  await once(connection, 'connection_open');
  return connection;
}

// deliver sends bodies and waits until all are settled by the broker.
async function deliver(connection, target, bodies, options = {}) {
  const sender = connection.open_sender({ target, ...options });
  let left = bodies.length;
  const accepted = new Promise((resolve) => sender.on('accepted', () => --left || resolve()));
  await once(sender, 'sendable');
  for (const body of bodies) sender.send({ body });
  if (options.snd_settle_mode !== 1) await accepted;
}

// collect takes n messages with exactly that much credit.
function collect(connection, source, n, options = {}) {
  const receiver = connection.open_receiver({ source, credit_window: 0, ...options });
  const bodies = [];
  receiver.add_credit(n);
  return new Promise((resolve, reject) => {
    receiver.on('receiver_error', ({ receiver: r }) => reject(r.error));
    receiver.on('message', ({ message, delivery }) => {
      bodies.push(message.body);
      if (bodies.length === n) resolve({ bodies, receiver, delivery });
    });
  });
}

test('plain AMQP', { concurrency: 4, timeout: 30_000 }, async (t) => {
  await t.test('names with spaces and commas', async (t) => {
    const connection = await connect(t);
    for (const name of ['a queue, with more', 'Ünï/çødé', 'a.b-c_d', 'queue%20name']) {
      await deliver(connection, name, ['x']);
      const { bodies } = await collect(connection, name, 1);
      assert.deepEqual(bodies, ['x'], name);
    }
  });

  await t.test('credit is a limit', async (t) => {
    const connection = await connect(t);
    await deliver(connection, 'credit', numbers(10));
    const { bodies, receiver } = await collect(connection, 'credit', 3);
    await drained(receiver); // nothing more comes
    assert.deepEqual(bodies, [0, 1, 2]);
    receiver.add_credit(2);
    while (bodies.length < 5) await once(receiver, 'message');
    assert.deepEqual(bodies, numbers(5));
  });

  await t.test('drain gives the credit back', async (t) => {
    const connection = await connect(t);
    await deliver(connection, 'drain', ['a']);
    const { bodies, receiver } = await collect(connection, 'drain', 1);
    receiver.add_credit(100);
    await drained(receiver);
    assert.equal(receiver.credit, 0);
    await deliver(connection, 'drain', ['b']);
    assert.deepEqual(bodies, ['a']);
    receiver.drain = false;
    receiver.add_credit(1);
    await once(receiver, 'message');
    assert.deepEqual(bodies, ['a', 'b']);
  });

  await t.test('pre-settled both ways', async (t) => {
    const connection = await connect(t);
    await deliver(connection, 'settled', numbers(5), { snd_settle_mode: 1 });
    const { bodies, delivery } = await collect(connection, 'settled', 5, { snd_settle_mode: 1 });
    assert.deepEqual(bodies, numbers(5));
    assert.ok(delivery.remote_settled);
  });

  await t.test('released comes again, rejected does not', async (t) => {
    const connection = await connect(t);
    await deliver(connection, 'outcomes', ['a', 'b']);
    const receiver = connection.open_receiver({ source: 'outcomes', credit_window: 0, autoaccept: false });
    const next = async () => {
      receiver.add_credit(1);
      const [context] = await once(receiver, 'message');
      return context;
    };
    const first = await next();
    assert.equal(first.message.delivery_count, 0);
    first.delivery.release();
    const again = await next();
    assert.deepEqual([again.message.body, again.message.delivery_count], ['a', 0]);
    again.delivery.reject({ condition: 'own:reason' });
    const second = await next();
    assert.equal(second.message.body, 'b');
    second.delivery.accept();
    const { bodies } = await collect(connection, 'outcomes/$DeadLetterQueue', 1);
    assert.deepEqual(bodies, ['a']);
  });

  await t.test('a link that is closed is answered', async (t) => {
    const connection = await connect(t);
    const receiver = connection.open_receiver('closing');
    await once(receiver, 'receiver_open');
    receiver.close();
    await once(receiver, 'receiver_close');
    const session = connection.create_session();
    session.open();
    await once(session, 'session_open');
    session.close();
    await once(session, 'session_close');
  });

  await t.test('SASL ANONYMOUS and PLAIN', async (t) => {
    for (const options of [{ username: 'anonymous' }, { username: 'RootManageSharedAccessKey', password: 'SAS_KEY_VALUE' }]) {
      const connection = await connect(t, options);
      await deliver(connection, 'sasl', ['x']);
      assert.deepEqual((await collect(connection, 'sasl', 1)).bodies, ['x']);
    }
  });
});

// drained asks for what there is and waits until the broker has no more.
async function drained(receiver) {
  receiver.drain_credit();
  await once(receiver, 'receiver_drained');
}
