"""Ketama placement with fnv1a_64, written a second time so that tests can name the node of a key."""

import bisect
import hashlib
import random
import string
import struct


def fnv1a_64(key):
    value = 0x84222325
    for byte in key:
        value = ((value ^ byte) * 0x1B3) & 0xFFFFFFFF
    return value


class Ring:
    """names: the ring's names in server order, all of the same weight."""

    def __init__(self, names):
        points = []
        for index, name in enumerate(names):
            for group in range(40):
                digest = hashlib.md5(f"{name}-{group}".encode()[:64]).digest()
                points += [(value, index) for value in struct.unpack("<4I", digest)]
        points.sort()
        self.values = [p[0] for p in points]
        self.nodes = [p[1] for p in points]

    def node(self, key):
        if isinstance(key, str):
            key = key.encode()
        start = key.find(b"{")
        if start >= 0:
            stop = key.find(b"}", start + 1)
            if stop >= 0:
                key = key[start + 1:stop]
        at = bisect.bisect_left(self.values, fnv1a_64(key))
        return self.nodes[at % len(self.nodes)]


def ring_of(count):
    """The ring of a cluster whose servers have the harness's aliases n0, n1, ..."""
    return Ring([f"n{i}" for i in range(count)])


class Keys:
    """Fresh random keys; of one node when asked. The prefix keeps tests on shared servers apart."""

    def __init__(self, nodes=4, seed=None):
        self.random = random.Random(seed)
        self.ring = ring_of(nodes)
        self.nodes = nodes
        self.used = set()

    def any(self):
        while True:
            key = "".join(self.random.choices(string.ascii_lowercase + string.digits, k=16))
            if key not in self.used:
                self.used.add(key)
                return key.encode()

    def on(self, node):
        while True:
            key = self.any()
            if self.ring.node(key) == node:
                return key

    def many(self, count):
        return [self.any() for _ in range(count)]

    def spread(self, per_node):
        """per_node keys of every node, shuffled."""
        keys = [self.on(n) for n in range(self.nodes) for _ in range(per_node)]
        self.random.shuffle(keys)
        return keys
