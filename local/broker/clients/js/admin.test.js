// The management API, by the administration client.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { numbers, overEveryTransport, receiveOne } from './endpoint.js';

const forEver = 'P10675199DT2H48M5.4775807S';
const key = (text) => Buffer.from(text.padEnd(32)).toString('base64');
const rule = (keyName, ...accessRights) => ({
  claimType: 'SharedAccessKey', keyName, accessRights, primaryKey: key(`${keyName} 1`), secondaryKey: key(`${keyName} 2`),
});

// without leaves out what differs from run to run.
function without(properties, ...names) {
  const rest = { ...properties };
  for (const name of ['_response', 'createdAt', 'modifiedAt', 'accessedAt', 'maxMessageSizeInKilobytes', ...names]) delete rest[name];
  return rest;
}

// amid checks lists in pages while other tests make and remove entities, which moves
// the pages: some entities may come twice, or not at all.
async function amid(check, attempts = 10) {
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (--attempts === 0) throw error;
    }
  }
}

const newQueue = {
  authorizationRules: undefined, autoDeleteOnIdle: forEver, availabilityStatus: 'Available', deadLetteringOnMessageExpiration: false,
  defaultMessageTimeToLive: forEver, duplicateDetectionHistoryTimeWindow: 'PT10M', enableBatchedOperations: true, enableExpress: false,
  enablePartitioning: false, forwardDeadLetteredMessagesTo: undefined, forwardTo: undefined, lockDuration: 'PT1M', maxDeliveryCount: 10,
  maxSizeInMegabytes: 1024, requiresDuplicateDetection: false, requiresSession: false, status: 'Active', userMetadata: undefined,
};
const newTopic = {
  authorizationRules: undefined, autoDeleteOnIdle: forEver, availabilityStatus: 'Available', defaultMessageTimeToLive: forEver,
  duplicateDetectionHistoryTimeWindow: 'PT10M', enableBatchedOperations: true, enableExpress: false, enablePartitioning: false,
  maxSizeInMegabytes: 1024, requiresDuplicateDetection: false, status: 'Active', supportOrdering: true, userMetadata: undefined,
};
const newSubscription = {
  autoDeleteOnIdle: forEver, availabilityStatus: 'Available', deadLetteringOnFilterEvaluationExceptions: true,
  deadLetteringOnMessageExpiration: false, defaultMessageTimeToLive: forEver, enableBatchedOperations: true,
  forwardDeadLetteredMessagesTo: undefined, forwardTo: undefined, lockDuration: 'PT1M', maxDeliveryCount: 10, requiresSession: false,
  status: 'Active', userMetadata: undefined,
};

// There are two versions of the API that the client speaks.
for (const serviceVersion of ['2021-05', '2017-04']) overEveryTransport(`administration ${serviceVersion}`, (endpoint) => {
  const admin = endpoint.administer({ serviceVersion });
  const name = () => `${endpoint.name}-${randomUUID()}`;

  // entities makes what a test needs, and has it deleted afterwards.
  async function topicFor(t, options) {
    const topic = name();
    await admin.createTopic(topic, options);
    t.after(() => admin.deleteTopic(topic));
    return topic;
  }
  async function subscriptionFor(t) {
    const topic = await topicFor(t);
    await admin.createSubscription(topic, 's');
    return topic;
  }

  test('a queue as it is made', async (t) => {
    const queue = name();
    const made = await admin.createQueue(queue);
    t.after(() => admin.deleteQueue(queue));
    assert.equal(made._response.status, 201);
    assert.deepEqual(without(made), { name: queue, ...newQueue });
    const shown = await admin.getQueue(queue);
    assert.equal(shown._response.status, 200);
    assert.deepEqual(without(shown), without(made));
    assert.equal(await admin.queueExists(queue), true);
    const { createdAt, modifiedAt, ...counts } = await admin.getQueueRuntimeProperties(queue);
    assert.ok(Math.abs(createdAt - Date.now()) < 60_000 && modifiedAt >= createdAt);
    assert.deepEqual(without(counts), {
      name: queue, sizeInBytes: 0, totalMessageCount: 0, activeMessageCount: 0, deadLetterMessageCount: 0, scheduledMessageCount: 0,
      transferMessageCount: 0, transferDeadLetterMessageCount: 0,
    });
  });

  test('every property of a queue, and its update', async (t) => {
    const queue = name();
    const asked = {
      lockDuration: 'PT45S', requiresDuplicateDetection: true, requiresSession: true, defaultMessageTimeToLive: 'P2D',
      deadLetteringOnMessageExpiration: true, duplicateDetectionHistoryTimeWindow: 'PT1M', maxDeliveryCount: 8, enableBatchedOperations: false,
      autoDeleteOnIdle: 'PT1H', enablePartitioning: true, enableExpress: false, userMetadata: 'mine, <&"\'> ü', status: 'ReceiveDisabled',
      authorizationRules: [rule('one', 'Manage', 'Send', 'Listen'), rule('two', 'Manage', 'Send', 'Listen')],
    };
    const made = await admin.createQueue(queue, asked);
    t.after(() => admin.deleteQueue(queue));
    assert.deepEqual(without(made), { ...newQueue, ...asked, name: queue, maxSizeInMegabytes: 16 * 1024 });
    const changed = {
      lockDuration: 'PT50S', defaultMessageTimeToLive: 'P1D', maxDeliveryCount: 5, autoDeleteOnIdle: 'PT2H', status: 'SendDisabled',
      authorizationRules: [rule('one', 'Send'), rule('two', 'Listen')],
    };
    const updated = await admin.updateQueue({ ...(await admin.getQueue(queue)), ...changed });
    assert.deepEqual(without(updated), { ...newQueue, ...asked, ...changed, name: queue, maxSizeInMegabytes: 16 * 1024 });
    // What can't change says so.
    await assert.rejects(admin.updateQueue({ ...updated, requiresSession: false }), (err) => err.statusCode === 400 && err.message.includes('RequiresSession'));
  });

  test('a topic as it is made, with every property, and its update', async (t) => {
    const [plain, full] = [name(), name()];
    assert.deepEqual(without(await admin.createTopic(plain)), { name: plain, ...newTopic });
    t.after(() => admin.deleteTopic(plain));
    assert.equal(await admin.topicExists(plain), true);
    assert.deepEqual(without(await admin.getTopicRuntimeProperties(plain)), {
      name: plain, sizeInBytes: 0, subscriptionCount: 0, scheduledMessageCount: 0,
    });
    const asked = {
      requiresDuplicateDetection: true, defaultMessageTimeToLive: 'P2D', duplicateDetectionHistoryTimeWindow: 'PT1M',
      enableBatchedOperations: false, status: 'SendDisabled', enablePartitioning: true, supportOrdering: false, userMetadata: 'mine',
      authorizationRules: [rule('one', 'Listen')],
    };
    assert.deepEqual(without(await admin.createTopic(full, asked)), { ...newTopic, ...asked, name: full, maxSizeInMegabytes: 16 * 1024 });
    t.after(() => admin.deleteTopic(full));
    const changed = { status: 'Disabled', userMetadata: 'theirs', defaultMessageTimeToLive: 'P1D', autoDeleteOnIdle: 'PT2H', maxSizeInMegabytes: 3072 };
    const updated = await admin.updateTopic({ ...(await admin.getTopic(plain)), ...changed });
    assert.deepEqual(without(updated), { ...newTopic, ...changed, name: plain });
  });

  test('a subscription as it is made, with every property, and its update', async (t) => {
    const topicName = await topicFor(t);
    const base = { ...newSubscription, topicName };
    assert.deepEqual(without(await admin.createSubscription(topicName, 'plain')), { ...base, subscriptionName: 'plain' });
    assert.equal(await admin.subscriptionExists(topicName, 'plain'), true);
    assert.deepEqual(without(await admin.getSubscriptionRuntimeProperties(topicName, 'plain')), {
      topicName, subscriptionName: 'plain', totalMessageCount: 0, activeMessageCount: 0, deadLetterMessageCount: 0, transferMessageCount: 0,
      transferDeadLetterMessageCount: 0,
    });
    const asked = {
      lockDuration: 'PT5M', maxDeliveryCount: 20, defaultMessageTimeToLive: 'P2D', autoDeleteOnIdle: 'PT1H',
      deadLetteringOnFilterEvaluationExceptions: false, deadLetteringOnMessageExpiration: true, enableBatchedOperations: false,
      requiresSession: true, userMetadata: 'mine', status: 'ReceiveDisabled',
    };
    const first = {
      name: 'first', action: { sqlExpression: "SET a='b'", sqlParameters: undefined },
      filter: { sqlExpression: 'text = @text AND whole = @whole', sqlParameters: { '@text': 'b', '@whole': 1 } },
    };
    const made = await admin.createSubscription(topicName, 'full', { ...asked, defaultRuleOptions: first });
    assert.deepEqual(without(made), { ...base, ...asked, subscriptionName: 'full' });
    assert.deepEqual(without(await admin.getRule(topicName, 'full', 'first')), first);
    assert.equal(await admin.ruleExists(topicName, 'full', '$Default'), false);
    const changed = { lockDuration: 'PT3M', maxDeliveryCount: 1, status: 'Disabled', userMetadata: 'theirs', deadLetteringOnFilterEvaluationExceptions: false };
    const updated = await admin.updateSubscription({ ...(await admin.getSubscription(topicName, 'plain')), ...changed });
    assert.deepEqual(without(updated), { ...base, ...changed, subscriptionName: 'plain' });
  });

  test('rules with values of every type that the client knows', async (t) => {
    const topic = await subscriptionFor(t);
    const when = new Date('2026-01-02T03:04:05.678Z');
    const values = { text: 'WA', whole: 25, round: 3.0, broken: 12.4, negative: -7, large: 5_000_000_000, yes: true, no: false, when };
    const unset = {
      contentType: undefined, messageId: undefined, replyTo: undefined, replyToSessionId: undefined, sessionId: undefined, subject: undefined, to: undefined,
    };
    const action = { sqlExpression: "SET sys.label='GREEN'", sqlParameters: undefined };
    for (const [ruleName, filter] of Object.entries({
      one: { correlationId: 'abcd', applicationProperties: { text: 'WA' } },
      all: { correlationId: 'abcd', applicationProperties: values },
      none: { correlationId: 'abcd', applicationProperties: undefined },
    })) {
      const made = await admin.createRule(topic, 's', ruleName, filter, action);
      assert.deepEqual(without(made), { name: ruleName, action, filter: { ...unset, ...filter } });
      assert.deepEqual(without(await admin.getRule(topic, 's', ruleName)), without(made));
    }
    const filter = { sqlExpression: 'text = @text', sqlParameters: { '@text': 'b' } };
    const updated = await admin.updateRule(topic, 's', { ...(await admin.getRule(topic, 's', 'one')), filter, action: { sqlExpression: "SET a='c'" } });
    assert.deepEqual(without(updated), { name: 'one', filter, action: { sqlExpression: "SET a='c'", sqlParameters: undefined } });
    await assert.rejects(admin.createRule(topic, 's', 'broken', { sqlExpression: 'a =' }), { statusCode: 400 });
  });

  test('what is forwarded, by name and by address', async (t) => {
    const last = await endpoint.queue(t);
    const address = `sb://${endpoint.host}/`;
    for (const [given, want] of [[last, last], [`${address}${last}`, last], [`${address}${last}`.toUpperCase(), last.toUpperCase()]]) {
      const queue = name();
      const options = { forwardTo: given, forwardDeadLetteredMessagesTo: given };
      const made = await admin.createQueue(queue, options);
      t.after(() => admin.deleteQueue(queue));
      assert.deepEqual([made.forwardTo, made.forwardDeadLetteredMessagesTo], [address + want, address + want]);
      const topic = await topicFor(t);
      const subscription = await admin.createSubscription(topic, 's', options);
      assert.deepEqual([subscription.forwardTo, subscription.forwardDeadLetteredMessagesTo], [address + want, address + want]);
      const client = endpoint.connect(t);
      for (const entity of [queue, topic]) {
        await client.createSender(entity).sendMessages({ body: entity });
        const receiver = client.createReceiver(last, { receiveMode: 'receiveAndDelete' });
        assert.equal((await receiveOne(receiver)).body, entity);
      }
    }
  });

  test('what is there already, and what is not', async (t) => {
    const topic = await subscriptionFor(t);
    const queue = await endpoint.queue(t);
    await admin.createRule(topic, 's', 'r', { sqlExpression: '1=2' });
    for (const again of [
      () => admin.createQueue(queue), () => admin.createTopic(topic), () => admin.createSubscription(topic, 's'),
      () => admin.createRule(topic, 's', 'r', { sqlExpression: '1=2' }),
    ]) {
      await assert.rejects(again, (err) => {
        assert.deepEqual([err.statusCode, err.code], [409, 'MessageEntityAlreadyExistsError']);
        assert.match(err.message, /^(The messaging entity|SubCode)/);
        return true;
      });
    }
    const { name: _, ...someQueue } = await admin.getQueue(queue);
    const nowhere = 'nowhere';
    for (const missing of [
      () => admin.getQueue(nowhere), () => admin.getTopic(nowhere), () => admin.getSubscription(topic, nowhere), () => admin.getRule(topic, 's', nowhere),
      () => admin.getQueueRuntimeProperties(nowhere), () => admin.getTopicRuntimeProperties(nowhere), () => admin.getSubscriptionRuntimeProperties(topic, nowhere),
      () => admin.deleteQueue(nowhere), () => admin.deleteTopic(nowhere), () => admin.deleteSubscription(topic, nowhere), () => admin.deleteRule(topic, 's', nowhere),
      () => admin.updateQueue({ ...someQueue, name: nowhere }),
    ]) {
      await assert.rejects(missing, (err) => {
        assert.equal(err.code, 'MessageEntityNotFoundError');
        assert.match(err.message, /^(The messaging entity|Entity|SubCode)/);
        return true;
      });
    }
    assert.deepEqual(
      await Promise.all([admin.queueExists(nowhere), admin.topicExists(nowhere), admin.subscriptionExists(topic, nowhere), admin.ruleExists(topic, 's', nowhere)]),
      [false, false, false, false],
    );
  });

  test('names that no entity may have', async (t) => {
    const topic = await subscriptionFor(t);
    for (const bad of ['a b', 'a@b', 'a+b', 'a/$b']) {
      for (const make of [() => admin.createQueue(bad), () => admin.createTopic(bad), () => admin.createSubscription(topic, bad)]) {
        await assert.rejects(make(), (err) => err.statusCode === 400);
      }
    }
  });

  test('deletion', async (t) => {
    const topic = await subscriptionFor(t);
    const queue = name();
    await admin.createQueue(queue);
    for (const [remove, there] of [
      [() => admin.deleteRule(topic, 's', '$Default'), () => admin.ruleExists(topic, 's', '$Default')],
      [() => admin.deleteSubscription(topic, 's'), () => admin.subscriptionExists(topic, 's')],
      [() => admin.deleteQueue(queue), () => admin.queueExists(queue)],
    ]) {
      assert.equal(await there(), true);
      assert.equal((await remove())._response.status, 200);
      assert.equal(await there(), false);
    }
  });

  test('lists, whole and in pages', async (t) => {
    const topic = await subscriptionFor(t);
    const names = numbers(5).map((i) => `${topic}-${i}`);
    for (const [i, each] of names.entries()) {
      await admin.createQueue(`q-${each}`);
      await admin.createTopic(`t-${each}`);
      t.after(() => Promise.all([admin.deleteQueue(`q-${each}`), admin.deleteTopic(`t-${each}`)]));
      await admin.createSubscription(topic, `s${i}`);
      await admin.createRule(topic, 's', `r${i}`, { sqlExpression: '1=1' });
    }
    const queues = names.map((n) => `q-${n}`), topics = names.map((n) => `t-${n}`);
    const subscriptions = ['s', ...numbers(5).map((i) => `s${i}`)], rules = ['$Default', ...numbers(5).map((i) => `r${i}`)];
    for (const [list, want] of [
      [() => admin.listQueues(), queues], [() => admin.listQueuesRuntimeProperties(), queues],
      [() => admin.listTopics(), topics], [() => admin.listTopicsRuntimeProperties(), topics],
      [() => admin.listSubscriptions(topic), subscriptions], [() => admin.listSubscriptionsRuntimeProperties(topic), subscriptions],
      [() => admin.listRules(topic, 's'), rules],
    ]) {
      const mine = (all) => all.map((e) => e.subscriptionName ?? e.name).filter((n) => want.includes(n));
      const all = [];
      for await (const each of list()) all.push(each);
      assert.deepEqual(mine(all), want);
      await amid(async () => {
        const paged = [];
        for await (const page of list().byPage({ maxPageSize: 2 })) {
          assert.ok(page.length <= 2);
          paged.push(...page);
        }
        assert.deepEqual(mine(paged), want);
      });
      await amid(async () => {
        const { value: first } = await list().byPage({ maxPageSize: 2 }).next();
        const rest = [];
        for await (const page of list().byPage({ continuationToken: first.continuationToken, maxPageSize: 3 })) rest.push(...page);
        assert.deepEqual(mine([...first, ...rest]), want);
      });
    }
  });

  test('the namespace', async () => {
    const { messagingSku, messagingUnits, name: namespace, createdAt, modifiedAt } = await admin.getNamespaceProperties();
    assert.deepEqual([messagingSku, messagingUnits], ['Standard', undefined]);
    assert.ok(namespace && createdAt instanceof Date && modifiedAt instanceof Date && createdAt <= new Date());
  });

  test('counts of messages', async (t) => {
    const topic = await subscriptionFor(t);
    await admin.createSubscription(topic, 'other');
    const client = endpoint.connect(t);
    const sender = client.createSender(topic);
    await sender.sendMessages(numbers(3).map((body) => ({ body })));
    await sender.scheduleMessages([{ body: 'later' }], new Date(Date.now() + 3_600_000));
    const receiver = client.createReceiver(topic, 's');
    await receiver.abandonMessage(await receiveOne(receiver));
    await receiver.deadLetterMessage(await receiveOne(receiver));
    const counts = {};
    for await (const s of admin.listSubscriptionsRuntimeProperties(topic)) {
      counts[s.subscriptionName] = [s.totalMessageCount, s.activeMessageCount, s.deadLetterMessageCount];
    }
    assert.deepEqual(counts, { s: [3, 2, 1], other: [3, 3, 0] });
    const of = await admin.getTopicRuntimeProperties(topic);
    assert.deepEqual([of.scheduledMessageCount, of.subscriptionCount], [1, 2]);
    assert.ok(of.sizeInBytes > 0);
  });
});

overEveryTransport('administration', (endpoint) => {
  test('a key that may not manage', async (t) => {
    const queue = await endpoint.queue(t);
    const admin = endpoint.administer({ key: { name: 'Sender', value: 'sender-key' } });
    for (const refused of [() => admin.getQueue(queue), () => admin.createQueue('new'), () => admin.deleteQueue(queue)]) {
      await assert.rejects(refused, { statusCode: 401, code: 'UnauthorizedRequestError' });
    }
  });

  test('a key of one queue manages it, and nothing else', async (t) => {
    const [queue, other] = [await endpoint.queue(t, { authorizationRules: [rule('own', 'Manage', 'Send', 'Listen')] }), await endpoint.queue(t)];
    for (const value of [key('own 1'), key('own 2')]) {
      const own = endpoint.administer({ key: { name: 'own', value } });
      assert.equal((await own.getQueue(queue)).name, queue);
      await assert.rejects(own.getQueue(other), { statusCode: 401 });
      const client = endpoint.connect(t, { key: { name: 'own', value }, retryOptions: { maxRetries: 0 } });
      await client.createSender(queue).sendMessages({ body: 'a' });
      assert.equal((await receiveOne(client.createReceiver(queue, { receiveMode: 'receiveAndDelete' }))).body, 'a');
      await assert.rejects(client.createSender(other).sendMessages({ body: 'a' }), { code: 'UnauthorizedAccess' });
    }
  });

  test('what the client sends in vain', async () => {
    for (const options of [{ lockDuration: 'PT6M' }, { lockDuration: 'a minute' }, { maxDeliveryCount: 0 }, { autoDeleteOnIdle: 'PT1M' }, { status: 'Odd' }]) {
      await assert.rejects(endpoint.admin.createQueue('refused', options), { statusCode: 400, code: 'ServiceError' });
    }
  });
});
