#!/usr/bin/env python3
"""Holds up what the kernel queues (iptables -j NFQUEUE), and lets it go in its order. For kernels without netem; as root.

  e2e/support/delay.py QUEUE MILLISECONDS

Prints a line when it is there, and ends with its standard input.
"""

import collections
import select
import socket
import struct
import sys
import time

NETLINK_NETFILTER = 12
SUBSYSTEM = 3 << 8
PACKET, VERDICT, CONFIG = 0, 1, 2
BIND, COPY_META, ACCEPT = 1, 1, 1
QUEUE_MAX = 65536


def attribute(kind, data):
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + b"\0" * (-length % 4)


def send(link, kind, queue, *attributes):
    body = struct.pack("=BBH", 0, 0, socket.htons(queue)) + b"".join(attributes)
    link.send(struct.pack("=IHHII", 16 + len(body), SUBSYSTEM | kind, 1, 0, 0) + body)


def packets(data):
    """The numbers of the packets in what the kernel says."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if kind == SUBSYSTEM | PACKET:
            # The first attribute, after both headers, begins with the number.
            yield struct.unpack_from(">I", data, 16 + 4 + 4)[0]
        data = data[(length + 3) & ~3 :]


def main():
    queue, delay = int(sys.argv[1]), int(sys.argv[2]) / 1000
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    link.bind((0, 0))
    send(link, CONFIG, queue, attribute(1, struct.pack(">BxH", BIND, 0)))
    send(link, CONFIG, queue, attribute(2, struct.pack(">IB", 0, COPY_META)), attribute(3, struct.pack(">I", QUEUE_MAX)))
    print("ready", flush=True)
    held = collections.deque()
    while True:
        wait = max(0, held[0][0] - time.monotonic()) if held else None
        readable = select.select([link, sys.stdin], [], [], wait)[0]
        if sys.stdin in readable and not sys.stdin.read(1):
            return
        if link in readable:
            due = time.monotonic() + delay
            held.extend((due, number) for number in packets(link.recv(1 << 16)))
        while held and held[0][0] <= time.monotonic():
            send(link, VERDICT, queue, attribute(2, struct.pack(">II", ACCEPT, held.popleft()[1])))


main()
