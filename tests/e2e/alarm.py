# SPDX-License-Identifier: BSD-2-Clause
# Servers that are rightly silent, and clients that make them look dead.
# usage: alarm.py serve NAME ADDRESS PORT...    all kinds on each port; port 9005 speaks first
#        alarm.py ask ADDRESS SECONDS           the clients of all services, one kind on each port
# What a client sends is a line: wait SECONDS BYTES (an answer of so many bytes), poll (so 12 s later at
# b1, at once elsewhere), take BYTES (that follow), push (answers at random, for ever), reset (an
# answer, and a reset behind it).
import asyncio
import random
import socket
import struct
import sys

POLL = 12
UPLOAD = 160000
SEGMENT = 1400
ABORT = struct.pack("ii", 1, 0)
WARM = ("keep", "upload", "push", "idle", "vanish", "sparse", "night", "reset", "nat")
WARM_PORTS = (9003, 9004, 9006, 9007, 9008, 9009, 9010, 9011, 9012)
tally = {}


# ---- the servers ----


async def answer(name, words, reader, writer):
    kind = words[0]
    if kind == "wait":
        await asyncio.sleep(float(words[1]))
    elif kind == "poll" and name == "b1":
        await asyncio.sleep(POLL)
    elif kind == "take":
        await reader.readexactly(int(words[1]))
    while kind == "push":
        await asyncio.sleep(random.uniform(4, 12))
        writer.write(b"news\n")
    writer.write(b"." * (int(words[2]) - 1 if kind == "wait" else 99) + b"\n")
    if kind == "reset":
        await asyncio.sleep(0.002)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        writer.transport.abort()


async def serve_one(name, port, reader, writer):
    try:
        if port == 9005:
            await asyncio.sleep(0.005)
            writer.write(b"220 ready\n")
        while line := await reader.readline():
            await answer(name, line.decode().split(), reader, writer)
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def serve(name, address, ports):
    for port in map(int, ports):
        await asyncio.start_server(
            lambda reader, writer, port=port: serve_one(name, port, reader, writer), address, port,
            backlog=1000)
    print("ready", flush=True)
    await asyncio.Event().wait()


# ---- the clients ----


async def connect(address, port, network=1):
    source = (f"10.{network}.0.{random.randint(1, 254)}", 0)
    return await asyncio.open_connection(address, port, local_addr=source)


async def ask(link, line):
    link[1].write(line.encode() + b"\n")
    return await link[0].readline()


async def say(address, port, *lines):
    link = await connect(address, port)
    for line in lines:
        await ask(link, line)
    link[1].close()


async def upload(address, port):
    link = await connect(address, port)
    link[1].get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link[1].write(f"take {UPLOAD}\n".encode().ljust(SEGMENT, b" ")[:-1] + b"\n")
    for _ in range(0, UPLOAD, SEGMENT):
        await asyncio.sleep(0.13)
        link[1].write(b"u" * SEGMENT)
    link[1].write(b"u" * SEGMENT)
    await link[0].readline()
    link[1].close()


async def think(address, port):
    link = await connect(address, port)
    await link[0].readline()
    await asyncio.sleep(20)
    await ask(link, "wait 0 100")
    link[1].close()


async def subscribe(address, port):
    link = await connect(address, port)
    await ask(link, "wait 0 100")
    link[1].write(b"push\n")
    while True:
        await link[0].readline()


async def stay(address, port):
    await connect(address, port)
    await asyncio.sleep(1000)


# Its request has gone, and nothing more will come: what bears the mark goes nowhere.
async def vanish(address, port, moment=None):
    link = await connect(address, port, 3)
    if moment:
        await moment.wait()
    link[1].write(b"wait 0.02 100\n")
    await asyncio.sleep(0.01)
    link[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)
    await asyncio.sleep(1000)


# A network fails, with its requests under way.
async def vanish_together(address, port, count):
    moment = asyncio.Event()
    tasks = [asyncio.create_task(vanish(address, port, moment)) for _ in range(count)]
    await asyncio.sleep(1)
    moment.set()
    await asyncio.gather(*tasks)


async def abort(address, port):
    link = await connect(address, port)
    link[1].write(b"wait 0.5 100\n")
    await asyncio.sleep(0.1)
    link[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    link[1].transport.abort()


async def counted(name, what):
    try:
        await what
        tally[name] = tally.get(name, 0) + 1
    except OSError as error:
        print(name, "failed:", error, flush=True)


# So many a second, from one second to another, all of them at random times.
async def crowd(name, begin, end, rate, what):
    tasks = []
    await asyncio.sleep(begin)
    for _ in range(int((end - begin) * rate)):
        tasks.append(asyncio.create_task(counted(name, what())))
        await asyncio.sleep(random.uniform(0, 2 / rate))
    await asyncio.gather(*tasks)


def crowds(to, end):
    def quick(port):
        return lambda: say(to, port, "wait 0.005 100")

    # What these services do as a rule, until it is known: quick requests.
    for name, port in zip(WARM, WARM_PORTS):
        yield name, 0, 8, 25, quick(port)
    # Long polls, nothing else.
    yield "poll", 0, end, 6, lambda: say(to, 9001, f"wait {POLL} 100")
    # The same requests, answered at once by all servers but one.
    yield "one", 0, end, 12, lambda: say(to, 9002, "poll")
    # Connections that begin with a quick request; and then there are long polls alone.
    yield "keep", 4, 10, 4, lambda: say(to, 9003, "wait 0 100", *[f"wait {POLL} 100"] * 4)
    # Long uploads, after quick requests.
    yield "upload", 7, end, 3, lambda: upload(to, 9004)
    # The server speaks first, the client thinks.
    yield "banner", 0, end, 5, lambda: think(to, 9005)
    # A quick request, then news from the server.
    yield "push", 4, 10, 5, lambda: subscribe(to, 9006)
    # Who connects and never says anything, and who does.
    yield "idle", 4, 10, 60, lambda: stay(to, 9007)
    yield "idle", 0, end, 4, quick(9007)
    # Who vanishes: one after the other, then many at once.
    yield "vanish", 0, end, 6, quick(9008)
    yield "vanish", 6, 16, 1, lambda: vanish(to, 9008)
    yield "vanish", 24, 25, 1, lambda: vanish_together(to, 9008, 40)
    # Hardly any traffic, slow answers.
    yield "sparse", 8, end, 0.2, lambda: say(to, 9009, "wait 2 100")
    # Quick ones in the day, long polls at night.
    yield "night", 9, end, 2, lambda: say(to, 9010, f"wait {POLL} 100")
    # Resets from the server, from the client.
    for name, port in ("reset", 9011), ("nat", 9012):
        yield name, 0, end, 6, lambda port=port: say(to, port, "wait 0 100", "reset")
        yield name, 0, end, 3, lambda port=port: abort(to, port)


async def clients(address, seconds):
    tasks = [asyncio.create_task(crowd(*each)) for each in crowds(address, seconds)]
    await asyncio.sleep(seconds)
    for name, count in tally.items():
        print(name, count, flush=True)
    for task in tasks:
        task.cancel()


random.seed(1)
if sys.argv[1] == "serve":
    asyncio.run(serve(sys.argv[2], sys.argv[3], sys.argv[4:]))
else:
    asyncio.run(clients(sys.argv[2], float(sys.argv[3])))
