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

  test('rules over AMQP are shown as they were made', async (t) => {
    const { topic, client } = await open(t, { s: {} });
    const rules = client.createRuleManager(topic, 's');
    const filter = {
      correlationId: 'c', subject: 'l', messageId: 'm', replyTo: 'r', replyToSessionId: 'rs', sessionId: 's', to: 't', contentType: 'ct',
      applicationProperties: { text: 'value', whole: 2, negative: -3, broken: 4.5, large: 5_000_000_000, yes: true, when: new Date('2000-01-01T00:00:00Z') },
    };
    await rules.createRule('sql', { sqlExpression: 'price > 10' });
    await rules.createRule('correlation', filter, { sqlExpression: "Set CorrelationId = 'new'" });
    const pages = [];
    for await (const page of rules.listRules().byPage({ maxPageSize: 1 })) pages.push(page);
    assert.deepEqual(pages.map((page) => page.map((r) => r.name)), [['$Default'], ['correlation'], ['sql']]);
    const [[first], [correlation], [sql]] = pages;
    assert.deepEqual(first.action, {});
    assert.deepEqual(sql.filter.sqlExpression, 'price > 10');
    assert.equal(correlation.action.sqlExpression, "Set CorrelationId = 'new'");
    assert.deepEqual({ ...correlation.filter, applicationProperties: { ...correlation.filter.applicationProperties } }, filter);
    await assert.rejects(rules.createRule('sql', { subject: 'red' }), /The messaging entity '.*sql' already exists./);
    // And to the administration client, which reads no whole numbers above 2^31.
    const { large: _, ...small } = filter.applicationProperties;
    await rules.createRule('small', { ...filter, applicationProperties: small });
    assert.deepEqual((await endpoint.admin.getRule(topic, 's', 'small')).filter, { ...filter, applicationProperties: small });
  });

  test('every filter and action of a rule manager', async (t) => {
    const orders = [['blue', 5, 'low'], ['red', 10, 'high'], ['yellow', 5, 'low'], ['blue', 10, 'low'], ['red', 5, 'low'], ['yellow', 10, 'high']]
      .map(([color, quantity, priority]) => ({ color, quantity, priority }));
    const all = {
      always: [{ sqlExpression: '1=1' }], never: [{ sqlExpression: '1=0' }], label: [{ subject: 'red' }],
      property: [{ applicationProperties: { color: 'red' } }], number: [{ applicationProperties: { quantity: 5 } }],
      changed: [{ applicationProperties: { color: 'blue' } }, { sqlExpression: "Set priority = 'high'" }],
      system: [{ sqlExpression: "sys.label ='yellow'" }], sql: [{ sqlExpression: "Color = 'yellow' AND quantity > 5" }],
      both: [{ sqlExpression: "Color = 'blue'" }, { sqlExpression: "SET priority = 'high'; REMOVE quantity; SET sys.label = 'green'" }],
    };
    const { topic, client, sender } = await open(t, Object.fromEntries(Object.keys(all).map((name) => [name, {}])));
    for (const [name, rule] of Object.entries(all)) {
      const rules = client.createRuleManager(topic, name);
      await rules.deleteRule('$Default');
      await rules.createRule(name, ...rule);
    }
    await sender.sendMessages(orders.map((order) => ({ body: 'x', correlationId: order.priority, subject: order.color, applicationProperties: order })));
    const want = {
      always: orders, never: [], label: orders.filter((o) => o.color === 'red'), property: orders.filter((o) => o.color === 'red'),
      number: orders.filter((o) => o.quantity === 5), changed: orders.filter((o) => o.color === 'blue').map((o) => ({ ...o, priority: 'high' })),
      system: orders.filter((o) => o.color === 'yellow'), sql: [orders[5]],
      both: orders.filter((o) => o.color === 'blue').map(({ color }) => ({ color, priority: 'high' })),
    };
    for (const [name, expected] of Object.entries(want)) {
      const receiver = client.createReceiver(topic, name, { receiveMode: 'receiveAndDelete' });
      const got = await receive(receiver, expected.length);
      assert.ok(await nothing(receiver), name);
      assert.deepEqual(got.map(({ applicationProperties: { RuleName: _, ...rest } }) => rest), expected, name);
      if (name === 'both') assert.ok(got.every((m) => m.subject === 'green'));
    }
  });

  test('the grammar of filters', async (t) => {
    const message = { body: 'x', subject: 'order', correlationId: 'c', contentType: 'text/plain', applicationProperties: { color: 'red', size: 7, half: 0.5, yes: true, "it's": 1 } };
    const wanted = {
      comparison: "size >= 7 AND size <> 8 AND half < 1 AND color != 'blue'", arithmetic: 'size * 2 - 4 = 10 AND size % 4 = 3 AND -size < 0',
      in: "color IN ('green', 'red') AND size NOT IN (1, 2)", like: "color LIKE 'r%' AND sys.Label LIKE 'ord__' AND color NOT LIKE 'b%'",
      escape: "color + '%' LIKE '%!%' ESCAPE '!'", isnull: 'nothing IS NULL AND color IS NOT NULL', exists: 'EXISTS(color) AND NOT EXISTS(nothing)',
      logic: "(color = 'blue' OR size = 7) AND NOT (size = 8)", system: "sys.CorrelationId = 'c' AND sys.ContentType = 'text/plain'",
      scoped: "user.color = 'red' AND [color] = 'red' AND \"color\" = 'red'", flag: 'yes = TRUE', quoted: '"it\'s" = 1',
    };
    const unwanted = { absent: "nothing = 'x'", unknown: 'NOT (nothing > 1)', wrong: "color = 'blue'", mixed: 'color > 1' };
    const { topic, client, sender } = await open(t, Object.fromEntries(
      Object.entries({ ...wanted, ...unwanted }).map(([name, sqlExpression]) => [name, { rule: { name, filter: { sqlExpression } } }]),
    ));
    await sender.sendMessages(message);
    for (const name of Object.keys(wanted)) assert.equal((await receiveOne(client.createReceiver(topic, name))).body, 'x', name);
    for (const name of Object.keys(unwanted)) assert.deepEqual(await client.createReceiver(topic, name).peekMessages(1), [], name);
    for (const sqlExpression of ['size >', "color MATCHES 'r'", "now() = 'x'", "color = 'red", 'size = @missing']) {
      await assert.rejects(endpoint.admin.createRule(topic, 'in', 'refused', { sqlExpression }), { statusCode: 400 }, sqlExpression);
      await assert.rejects(client.createRuleManager(topic, 'in').createRule('refused', { sqlExpression }), { retryable: false }, sqlExpression);
    }
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
