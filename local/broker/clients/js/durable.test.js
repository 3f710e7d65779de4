// What --data and --config are for. The endpoints here are the tests' own.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ServiceBusClient } from '@azure/service-bus';
import { bodies, nothing, numbers, receive, receiveOne } from './endpoint.js';
import { here, start } from './local.js';

// life runs an endpoint for as long as f takes, and ends it by a signal.
async function life(signal, flags, f) {
  const local = await start(...flags);
  const client = new ServiceBusClient(local.announcement.servicebus, { retryOptions: { maxRetries: 0 } });
  try {
    return await f(client, local.announcement);
  } finally {
    await client.close();
    await local.end(signal);
  }
}

test('what was answered outlives the process', { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'muster-data-'));
  t.after(() => rm(folder, { recursive: true }));
  const flags = ['--data', folder, '--queue', 'plain', '--session-queue', 'sessions'];
  const deferred = await life('SIGKILL', flags, async (client) => {
    const sender = client.createSender('plain');
    await sender.sendMessages(numbers(6).map((body) => ({ body, applicationProperties: { body } })));
    await sender.scheduleMessages({ body: 'later' }, new Date(Date.now() + 3_600_000));
    const receiver = client.createReceiver('plain');
    const [completed, abandoned, dead, put, locked] = await receive(receiver, 5);
    await receiver.completeMessage(completed);
    await receiver.abandonMessage(abandoned, { changed: true });
    await receiver.deadLetterMessage(dead, { deadLetterReason: 'why' });
    await receiver.deferMessage(put);
    assert.equal(locked.body, 4);
    await client.createSender('sessions').sendMessages({ body: 's', sessionId: 's' });
    const session = await client.acceptSession('sessions', 's');
    await session.setSessionState({ half: 'done' });
    return put.sequenceNumber;
  });
  await life('SIGTERM', flags, async (client) => {
    const receiver = client.createReceiver('plain');
    const messages = await receive(receiver, 3);
    assert.deepEqual(bodies(messages), [1, 4, 5]);
    assert.deepEqual([messages[0].deliveryCount, messages[0].applicationProperties.changed], [1, true]);
    assert.ok(await nothing(receiver));
    assert.equal((await receiver.receiveDeferredMessages(deferred))[0].body, 3);
    const letter = await receiveOne(client.createReceiver('plain', { subQueueType: 'deadLetter' }));
    assert.deepEqual([letter.body, letter.deadLetterReason], [2, 'why']);
    assert.deepEqual((await receiver.peekMessages(10)).map((m) => [m.body, m.state]).at(-1), ['later', 'scheduled']);
    const session = await client.acceptNextSession('sessions');
    assert.deepEqual([session.sessionId, await session.getSessionState(), (await receiveOne(session)).body], ['s', { half: 'done' }, 's']);
  });
});

test("the emulator's configuration", { timeout: 60_000 }, async () => {
  await life('SIGTERM', ['--config', join(here, '../../../../examples/servicebus.json')], async (client, announced) => {
    assert.deepEqual(announced.queues, ['commands', 'joiners', 'unheard']);
    assert.deepEqual(announced.topics, [{ name: 'people', subscriptions: ['everything', 'new'] }]);
    await client.createSender('people').sendMessages([
      { body: 'a', subject: 'joined', sessionId: 's', applicationProperties: { region: 'NL' } },
      { body: 'b', subject: 'moved', sessionId: 's', applicationProperties: { priority: 6 } },
      { body: 'c', subject: 'moved', sessionId: 's', applicationProperties: { priority: 5 } },
    ]);
    const all = client.createReceiver('people', 'everything');
    assert.deepEqual(bodies(await receive(all, 3)), ['a', 'b', 'c']);
    const session = await client.acceptNextSession('joiners'); // where the other subscription forwards to
    const [a, b] = await receive(session, 2);
    assert.deepEqual([a.body, b.body, b.applicationProperties.urgent], ['a', 'b', true]);
    await session.deadLetterMessage(a);
    assert.equal((await receiveOne(client.createReceiver('unheard'))).body, 'a');
  });
});
