// Topics, subscriptions and their rules.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { bodies, nothing, overEveryTransport, receive, receiveOne } from './endpoint.js';

overEveryTransport('topics', (endpoint) => {
  // open makes a topic with subscriptions, a client and a sender.
  async function open(t, subscriptions) {
    const topic = `${endpoint.name}-${randomUUID()}`;
    await endpoint.admin.createTopic(topic);
    t.after(() => endpoint.admin.deleteTopic(topic));
    for (const [name, { rule, ...options }] of Object.entries(subscriptions)) {
      await endpoint.admin.createSubscription(topic, name, { ...options, ...(rule && { defaultRuleOptions: rule }) });
    }
    const client = endpoint.connect(t);
    return { topic, client, sender: client.createSender(topic) };
  }

  test('every subscription gets what it wants', async (t) => {
    const { topic, client, sender } = await open(t, {
      all: {},
      red: { rule: { name: 'red', filter: { sqlExpression: "colour = 'red' AND sys.label LIKE 'a%'" } } },
      one: { rule: { name: 'one', filter: { correlationId: '1', applicationProperties: { colour: 'red' } } } },
    });
    const message = (body, colour, subject, correlationId) => ({ body, subject, correlationId, applicationProperties: { colour } });
    await sender.sendMessages([message(1, 'red', 'ab', '1'), message(2, 'red', 'b', '2'), message(3, 'blue', 'a', '1'), message(4, 'red', 'a', '2')]);
    const got = async (name, n) => {
      const receiver = client.createReceiver(topic, name, { receiveMode: 'receiveAndDelete' });
      const messages = await receive(receiver, n);
      assert.ok(await nothing(receiver), name);
      return bodies(messages);
    };
    assert.deepEqual(await got('all', 4), [1, 2, 3, 4]);
    assert.deepEqual(await got('red', 2), [1, 4]);
    assert.deepEqual(await got('one', 1), [1]);
  });

  test('dead letters, sessions and scheduled messages of a subscription', async (t) => {
    const { topic, client, sender } = await open(t, { plain: {}, sessions: { requiresSession: true } });
    await sender.scheduleMessages({ body: 'a', sessionId: 's' }, new Date(Date.now() + 300));
    const session = await client.acceptNextSession(topic, 'sessions');
    assert.deepEqual([session.sessionId, (await receiveOne(session)).body], ['s', 'a']);
    const receiver = client.createReceiver(topic, 'plain');
    await receiver.deadLetterMessage(await receiveOne(receiver), { deadLetterReason: 'r', deadLetterErrorDescription: 'd' });
    const dead = await receiveOne(client.createReceiver(topic, 'plain', { subQueueType: 'deadLetter' }));
    assert.deepEqual([dead.body, dead.deadLetterReason], ['a', 'r']);
    const counts = await endpoint.admin.getSubscriptionRuntimeProperties(topic, 'plain');
    assert.deepEqual([counts.activeMessageCount, counts.deadLetterMessageCount], [0, 1]);
  });

  test('rules over AMQP', async (t) => {
    const { topic, client, sender } = await open(t, { s: {} });
    const rules = client.createRuleManager(topic, 's');
    const names = async () => {
      const all = [];
      for await (const rule of rules.listRules()) all.push(rule.name);
      return all.sort();
    };
    assert.deepEqual(await names(), ['$Default']);
    await rules.createRule('size', { sqlExpression: 'size > 10' }, { sqlExpression: "SET big = 'yes'" });
    await rules.createRule('label', { subject: 'wanted' });
    assert.deepEqual(await names(), ['$Default', 'label', 'size']);
    await rules.deleteRule('$Default');
    await sender.sendMessages([
      { body: 'big', applicationProperties: { size: 11 } }, { body: 'small', applicationProperties: { size: 1 } }, { body: 'labelled', subject: 'wanted' },
    ]);
    const receiver = client.createReceiver(topic, 's');
    const [big, labelled] = await receive(receiver, 2);
    assert.deepEqual([big.body, big.applicationProperties.big, labelled.body], ['big', 'yes', 'labelled']);
    assert.ok(await nothing(receiver));
    await assert.rejects(rules.createRule('label', { subject: 'again' }), { code: 'MessagingEntityAlreadyExists' });
    await assert.rejects(rules.createRule('broken', { sqlExpression: 'size >' }));
    await assert.rejects(rules.deleteRule('none'), { code: 'MessagingEntityNotFound' });
  });

  test('rules over the management API', async (t) => {
    const { topic } = await open(t, { s: {} });
    await endpoint.admin.createRule(topic, 's', 'r', { subject: 'x', applicationProperties: { n: 1 } });
    assert.equal((await endpoint.admin.getRule(topic, 's', 'r')).filter.subject, 'x');
    await endpoint.admin.deleteRule(topic, 's', '$Default');
    assert.equal(await endpoint.admin.ruleExists(topic, 's', '$Default'), false);
    assert.equal(await endpoint.admin.subscriptionExists(topic, 's'), true);
  });
});
