"""Qpid Proton, a plain AMQP client that shares no code with the others, against muster local.

Run it with the python3 of the system, for which Debian has python3-qpid-proton. It starts the endpoints that it needs;
MUSTER is the binary, bin/muster unless said otherwise.
"""

import itertools
import json
import os
import subprocess
import tempfile
import unittest
import uuid

from proton import (
    UNDESCRIBED, Array, Data, Delivery, Described, Endpoint, Link, Message, SSLDomain, Timeout, byte, char, decimal32, decimal64,
    decimal128, float32, int32, short, symbol, timestamp, ubyte, uint, ulong, ushort,
)
from proton.utils import BlockingConnection, LinkDetached

HERE = os.path.dirname(os.path.abspath(__file__))
MUSTER = os.environ.get('MUSTER', os.path.join(HERE, '../../../../bin/muster'))
PATIENCE = 20  # seconds, after which a test has hung
KEY = dict(user='RootManageSharedAccessKey', password='SAS_KEY_VALUE', allowed_mechs='PLAIN', allow_insecure_mechs=True)


class Muster:
    """An endpoint on ports of its own."""

    def __init__(self, *flags):
        ports = [f'--{name}-port=0' for name in ('amqp', 'amqps', 'management', 'graph')]
        self.process = subprocess.Popen([MUSTER, 'local', '--json', '--users=1', *ports, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.announced = json.loads(self.process.stdout.readline())

    def connect(self, limits={}, **options):
        return Connection(f"amqp://127.0.0.1:{self.announced['amqp_port']}", limits, **options)

    def connect_tls(self, **options):
        domain = SSLDomain(SSLDomain.MODE_CLIENT)
        domain.set_trusted_ca_db(self.announced['ca_file'])
        domain.set_peer_authentication(SSLDomain.VERIFY_PEER)
        return Connection(f"amqps://127.0.0.1:{self.announced['amqps_port']}", {}, ssl_domain=domain, **options)

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Connection(BlockingConnection):
    """Sets what a transport announces, which has to happen before it opens, and knows which links were detached."""

    def __init__(self, url, limits, **options):
        self.limits, self.detached = limits, set()
        super().__init__(url, timeout=PATIENCE, **options)

    def on_connection_bound(self, event):
        for name, value in self.limits.items():
            setattr(event.transport, name, value)

    def on_link_remote_detach(self, event):
        self.detached.add(event.link.name)


class Case(unittest.TestCase):
    flags = ('--open',)

    @classmethod
    def setUpClass(cls):
        cls.muster = Muster(*cls.flags)
        cls.addClassCleanup(cls.muster.end)

    def connect(self, **options):
        connection = self.muster.connect(**{'sasl_enabled': False, **options})
        self.addCleanup(connection.close)
        return connection

    def queue(self):
        """A name that nobody else uses; --open makes a queue of it."""
        return self.id().rpartition('.')[2] + '-' + uuid.uuid4().hex

    def send(self, connection, queue, *bodies):
        sender = connection.create_sender(queue)
        for body in bodies:
            sender.send(Message(body=body))
        sender.close()

    def receive(self, connection, queue, n, accept=True):
        receiver = connection.create_receiver(queue, credit=n)
        bodies = []
        for _ in range(n):
            bodies.append(receiver.receive(timeout=PATIENCE).body)
            if accept:
                receiver.accept()
        receiver.close()
        return bodies

    def left(self, connection, queue):
        """Bodies that can be received, found by a drain."""
        receiver = connection.create_receiver(queue, credit=0)
        receiver.link.drain(1000)
        connection.wait(lambda: receiver.link.drained() >= 0 and receiver.link.credit == 0, timeout=PATIENCE)
        bodies = []
        while receiver.fetcher.has_message:
            bodies.append(receiver.receive(timeout=PATIENCE).body)
            receiver.accept()
        receiver.close()
        return bodies


class SignIn(Case):
    flags = ()

    def test_plain(self):
        connection = self.connect(sasl_enabled=True, **KEY)
        self.send(connection, 'commands', 'a')
        self.assertEqual(self.receive(connection, 'commands', 1), ['a'])

    def test_wrong_key(self):
        with self.assertRaises(Exception) as refused:
            self.connect(sasl_enabled=True, **{**KEY, 'password': 'wrong'})
        self.assertIn('auth', str(refused.exception).lower())

    def test_nobody_sends_without_a_key(self):
        for options in (dict(sasl_enabled=False), dict(sasl_enabled=True, allowed_mechs='ANONYMOUS')):
            with self.assertRaises(LinkDetached) as refused:
                self.connect(**options).create_sender('commands')
            self.assertEqual(refused.exception.condition, 'amqp:unauthorized-access')


class Encrypted(Case):
    flags = ()

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.flags = ('--tls', folder.name)
        super().setUpClass()

    def test_tls(self):
        connection = self.muster.connect_tls(**KEY)
        self.addCleanup(connection.close)
        self.send(connection, 'commands', 'a', 'b' * 300_000)
        self.assertEqual(self.receive(connection, 'commands', 2), ['a', 'b' * 300_000])


VALUES = [
    None, True, False, ubyte(255), ushort(65535), uint(0), uint(255), uint(2**32 - 1), ulong(0), ulong(255), ulong(2**64 - 1), byte(-128), short(-32768),
    int32(-1), int32(2**31 - 1), -1, 2**62, float32(1.5), 1.5, char('\U0001f600'), timestamp(-1), timestamp(2**52), uuid.UUID(int=7), decimal32(7),
    decimal64(7), decimal128(bytes(range(16))), b'', b'\x00\xff' * 200, '', 'ü' * 200, symbol(''), symbol('s' * 300), [], [None, [1, [2]]], {}, {'k': [symbol('v')]},
    {1: 'a', symbol('b'): None}, Described(symbol('d'), 'v'), Described(ulong(7), [Described('x', None)]),
]
ELEMENTS = {
    Data.BOOL: [True, False], Data.UBYTE: [ubyte(1)], Data.USHORT: [ushort(1)], Data.UINT: [uint(0), uint(300)], Data.ULONG: [ulong(0), ulong(2**40)],
    Data.BYTE: [byte(-1)], Data.SHORT: [short(-1)], Data.INT: [int32(1), int32(2**30)], Data.LONG: [1, 2**40], Data.FLOAT: [float32(1.5)],
    Data.DOUBLE: [1.5], Data.CHAR: [char('x')], Data.TIMESTAMP: [timestamp(1)], Data.UUID: [uuid.UUID(int=1)], Data.DECIMAL32: [decimal32(1)],
    Data.DECIMAL64: [decimal64(1)], Data.DECIMAL128: [decimal128(bytes(16))], Data.BINARY: [b'', b'x' * 300], Data.STRING: ['', 'x' * 300],
    Data.SYMBOL: [symbol(''), symbol('x' * 300)], Data.LIST: [[], [1, 'a']], Data.MAP: [{}, {'a': 1}],
}


def typed(value):
    """A value with the types of all that is in it, as 1 == True == ulong(1)."""
    if isinstance(value, Array):
        return 'array', typed(value.descriptor) if value.descriptor != UNDESCRIBED else None, value.type, [typed(v) for v in value.elements]
    if isinstance(value, Described):
        return 'described', typed(value.descriptor), typed(value.value)
    if isinstance(value, dict):
        return 'map', [(typed(k), typed(v)) for k, v in value.items()]
    if isinstance(value, list):
        return 'list', [typed(v) for v in value]
    if isinstance(value, memoryview):
        value = bytes(value)
    return type(value).__name__, value


def accepted(connection, receiver):
    """Takes one message, however many transfers it comes in, and accepts it."""
    got = bytearray()

    def complete():
        current = receiver.current
        if current is None:
            return False
        while (piece := receiver.recv(1 << 20)):
            got.extend(piece)
        return not current.partial
    connection.wait(complete, timeout=PATIENCE)
    receiver.current.update(Delivery.ACCEPTED)
    receiver.current.settle()
    return bytes(got)


class Messages(Case):
    def there_and_back(self, message):
        connection = self.connect()
        queue = self.queue()
        sender = connection.create_sender(queue)
        sender.send(message)
        receiver = connection.create_receiver(queue, credit=1)
        got = receiver.receive(timeout=PATIENCE)
        receiver.accept()
        return got

    def test_every_type(self):
        arrays = [Array(UNDESCRIBED, kind, *elements) for kind, elements in ELEMENTS.items()]
        arrays += [Array(UNDESCRIBED, Data.INT), Array(symbol('d'), Data.STRING, 'a', 'b'), Array(ulong(9), Data.LIST, [1], [])]
        body = VALUES + arrays
        got = self.there_and_back(Message(
            body=body, properties={str(i): v for i, v in enumerate(VALUES) if not isinstance(v, (list, dict, Described))},
            annotations={symbol(f'x-own-{i}'): v for i, v in enumerate(VALUES)}))
        for want, value in zip(body, got.body):
            self.assertEqual(typed(want), typed(value))
        for i, v in enumerate(VALUES):
            self.assertEqual(typed(v), typed(got.annotations[symbol(f'x-own-{i}')]), i)
            if str(i) in got.properties:
                self.assertEqual(typed(v), typed(got.properties[str(i)]), i)

    def test_standard_properties(self):
        for message_id, correlation in [('id', 'c'), (uuid.UUID(int=1), uuid.UUID(int=2)), (ulong(1), ulong(2**63))]:
            sent = Message(
                body='b', id=message_id, correlation_id=correlation, user_id=b'u', address='to', subject='s', reply_to='r', content_type=symbol('text/plain'),
                content_encoding=symbol('utf-8'), expiry_time=2_000_000_000, creation_time=1, group_id='g', group_sequence=2**32 - 1, reply_to_group_id='rg',
                durable=True, priority=9, ttl=1000)
            got = self.there_and_back(sent)
            for name in ('id', 'correlation_id', 'user_id', 'address', 'subject', 'reply_to', 'content_type', 'content_encoding', 'expiry_time', 'creation_time',
                         'group_id', 'group_sequence', 'reply_to_group_id', 'durable', 'priority', 'ttl'):
                self.assertEqual(typed(getattr(sent, name)), typed(getattr(got, name)), name)

    def raw(self, queue, *chunks, **limits):
        """Sends bytes as a message, and returns those that come back."""
        connection = self.connect(limits=limits)
        link = connection.create_sender(queue).link
        connection.wait(lambda: link.credit > 0, timeout=PATIENCE)
        delivery = link.delivery('t')
        for chunk in chunks:
            link.stream(chunk)
        link.advance()
        connection.wait(lambda: delivery.settled, timeout=PATIENCE)
        self.assertEqual(delivery.remote_state, Delivery.ACCEPTED)
        session = connection.conn.session()
        receiver = session.receiver('raw')
        receiver.source.address = queue
        session.open()
        receiver.open()
        receiver.flow(1)
        return accepted(connection, receiver)

    def test_bodies_of_many_sections(self):
        data = b'\x00\x53\x75\xa0\x01x'
        sequence = b'\x00\x53\x76\xc0\x03\x01\x50\x07'
        footer = b'\x00\x53\x78\xc1\x06\x02\xa3\x01f\x54\x07'
        for body in (data * 3, sequence * 2, data + footer, b'\x00\x53\x75\xb0\x00\x00\x00\x01x', b'\x00\x53\x77\x00\xa3\x01d\x56\x01', b'\x00\x80' + bytes(7) + b'\x75\xa0\x00'):
            self.assertTrue(self.raw(self.queue(), body).endswith(body), body)

    def test_the_largest_message_in_the_smallest_frames(self):
        data = bytes(range(256)) * 4000
        body = b'\x00\x53\x75\xb0' + len(data).to_bytes(4, 'big') + data
        self.assertTrue(self.raw(self.queue(), body, max_frame_size=512).endswith(body))


class Links(Case):
    def test_all_settle_modes(self):
        for snd, rcv in itertools.product((Link.SND_UNSETTLED, Link.SND_SETTLED, Link.SND_MIXED), (Link.RCV_FIRST, Link.RCV_SECOND)):
            with self.subTest(snd=snd, rcv=rcv):
                connection = self.connect()
                queue = self.queue()
                self.send(connection, queue, 'sent')
                options = Modes(snd, rcv)
                sender = connection.create_sender(queue, options=options)
                self.assertEqual((sender.link.remote_snd_settle_mode, sender.link.remote_rcv_settle_mode), (snd, rcv))
                sender.send(Message(body='by mode'))
                receiver = connection.create_receiver(queue, credit=2, options=options)
                self.assertEqual(receiver.link.remote_rcv_settle_mode, rcv)
                for want in ('sent', 'by mode'):
                    self.assertEqual(receiver.receive(timeout=PATIENCE).body, want)
                    delivery = receiver.fetcher.unsettled[-1] if receiver.fetcher.unsettled else None
                    self.assertEqual(delivery is None or delivery.settled, snd == Link.SND_SETTLED)
                    if delivery is not None and not delivery.settled:
                        delivery.update(Delivery.ACCEPTED)
                        if rcv == Link.RCV_SECOND:
                            connection.wait(lambda: delivery.settled, timeout=PATIENCE)
                            self.assertEqual(delivery.remote_state, Delivery.ACCEPTED)
                        delivery.settle()
                receiver.close()
                self.assertEqual(self.left(connection, queue), [])

    def test_credit_one_by_one(self):
        connection = self.connect()
        queue = self.queue()
        self.send(connection, queue, *range(20))
        receiver = connection.create_receiver(queue, credit=0)
        for i in range(20):
            receiver.link.flow(1)
            connection.wait(lambda: receiver.fetcher.has_message, timeout=PATIENCE)
            self.assertEqual(receiver.fetcher.has_message, 1)
            self.assertEqual(receiver.fetcher.pop().body, i)
            receiver.accept()

    def test_outcomes(self):
        connection = self.connect()
        queue = self.queue()
        self.send(connection, queue, 'a')
        receiver = connection.create_receiver(queue, credit=1)
        for state, count in [(Delivery.RELEASED, 0), (Delivery.MODIFIED, 0), (Delivery.REJECTED, 1)]:
            message = receiver.receive(timeout=PATIENCE)
            self.assertEqual(message.delivery_count, count, state)
            receiver.settle(state)
            receiver.link.flow(1)
        dead = connection.create_receiver(queue + '/$DeadLetterQueue', credit=1)
        self.assertEqual(dead.receive(timeout=PATIENCE).body, 'a')
        dead.accept()

    def test_a_window_of_one_frame(self):
        connection = self.connect(limits=dict(max_frame_size=512))
        queue = self.queue()
        body = 'x' * 100_000
        self.send(connection, queue, body, 'y')
        session = connection.conn.session()
        session.incoming_capacity = 512
        receiver = session.receiver('narrow')
        receiver.source.address = queue
        session.open()
        receiver.open()
        receiver.flow(2)
        for want in (body, 'y'):
            message = Message()
            message.decode(accepted(connection, receiver))
            self.assertEqual(message.body, want)

    def test_aborted(self):
        connection = self.connect(limits=dict(max_frame_size=512))
        queue = self.queue()
        sender = connection.create_sender(queue)
        connection.wait(lambda: sender.link.credit > 0, timeout=PATIENCE)
        for i in range(1500):  # more than the first credit
            delivery = sender.link.delivery(f'aborted-{i}')
            sender.link.stream(b'\x00\x53\x75\xb0\x00\x00\x10\x00' + b'x' * 1000)
            connection.container.process()
            delivery.abort()
            connection.wait(lambda: sender.link.credit > 0, timeout=PATIENCE)
        sender.send(Message(body='whole'))
        self.assertEqual(self.receive(connection, queue, 1), ['whole'])
        self.assertEqual(self.left(connection, queue), [])

    def test_again_by_the_same_name(self):
        connection = self.connect()
        queue = self.queue()
        for closed in (True, False) * 3:
            sender = connection.create_sender(queue, name='the sender')
            sender.send(Message(body=closed))
            if closed:
                sender.close()
            else:
                sender.link.detach()
                connection.wait(lambda: 'the sender' in connection.detached, timeout=PATIENCE)
                connection.detached.clear()
                sender.link.free()
        self.assertEqual(self.left(connection, queue), [True, False] * 3)

    def test_many_sessions_and_links(self):
        connection = self.connect(limits=dict(channel_max=50))
        queue = self.queue()
        for again in range(3):  # channels and handles are used again
            sessions = [connection.conn.session() for _ in range(40)]
            for i, session in enumerate(sessions):
                session.open()
                for j in range(3):
                    link = session.receiver(f'{again}-{i}-{j}')
                    link.source.address = queue
                    link.open()
            connection.wait(lambda: all(s.state & Endpoint.REMOTE_ACTIVE for s in sessions), timeout=PATIENCE)
            for session in sessions:
                session.close()
            connection.wait(lambda: all(s.state & Endpoint.REMOTE_CLOSED for s in sessions), timeout=PATIENCE)
        self.send(connection, queue, 'a')
        self.assertEqual(self.receive(connection, queue, 1), ['a'])

    def test_what_is_not_there_is_refused(self):
        connection = self.connect()
        with self.assertRaises(LinkDetached) as refused:
            connection.create_receiver(None, dynamic=True)
        self.assertEqual(refused.exception.condition, 'amqp:not-allowed')
        with self.assertRaises(LinkDetached) as refused:
            connection.create_sender(None)
        self.assertEqual(refused.exception.condition, 'amqp:invalid-field')
        queue = self.queue()
        self.send(connection, queue, 'still good')
        self.assertEqual(self.receive(connection, queue, 1), ['still good'])

    def test_silence(self):
        connection = self.connect(heartbeat=1)  # empty frames both ways; without them, either side ends it
        queue = self.queue()
        waiting = connection.create_receiver(queue, credit=1)
        with self.assertRaises(Timeout):
            waiting.receive(timeout=4)
        self.send(connection, queue, 'a')
        self.assertEqual(waiting.receive(timeout=PATIENCE).body, 'a')


class Modes:
    """Asks for settle modes."""

    def __init__(self, snd, rcv):
        self.snd, self.rcv = snd, rcv

    def test(self, link):
        return True

    def apply(self, link):
        link.snd_settle_mode, link.rcv_settle_mode = self.snd, self.rcv


if __name__ == '__main__':
    unittest.main()
