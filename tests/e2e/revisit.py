# SPDX-License-Identifier: BSD-2-Clause
# Connects to a service from the same ports again and again: asks once, and ends with a reset, so that
# the port is free at once. With --until FILE: keeps the connections, asks once more when the file is
# there, and fails if another backend answers, or none.
# usage: revisit.py [--until FILE] ADDRESS PORT...
import os
import socket
import struct
import sys
import time


def connect(address, port):
    link = socket.create_connection((address, 80), 10, ("10.1.0.9", port))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return link


def ask(link):
    link.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = link.recv(65536)
        if not part:
            raise ConnectionError("closed")
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    left = int(fields[b"Content-Length"]) - len(body)
    while left > 0:
        left -= len(link.recv(left))
    return fields[b"X-Backend"].decode()


words = sys.argv[1:]
until = None
if words[0] == "--until":
    until = words[1]
    words = words[2:]
links = [(port, connect(words[0], int(port))) for port in words[1:]]
names = {port: ask(link) for port, link in links}
print("all answered:", names, flush=True)
failed = 0
while until and not os.path.exists(until):
    time.sleep(0.1)
for port, link in links if until else []:
    try:
        name = ask(link)
    except OSError as error:
        name = str(error)
    if name != names[port]:
        failed += 1
        print(f"port {port}: {names[port]} has answered, and then: {name}")
sys.exit(failed > 0)
