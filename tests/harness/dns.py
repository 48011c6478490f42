"""A name server on loopback that knows the names it is told, and nothing else. Port 53 is what /etc/resolv.conf can say, so each
has an address of its own."""

import random
import socket
import struct
import threading


class NameServer:
    def __init__(self, **names):
        self.names = {name.replace("_", ".").lower(): address for name, address in names.items()}
        self.asked = []

    def __enter__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(50):
            self.address = f"127.{random.randint(2, 254)}.{random.randint(2, 254)}.{random.randint(2, 254)}"
            try:
                self._socket.bind((self.address, 53))
                break
            except PermissionError:
                raise
            except OSError:
                continue
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                query, who = self._socket.recvfrom(4096)
            except OSError:
                return
            self._socket.sendto(self._answer(query), who)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, (kind,) = ".".join(labels).lower(), struct.unpack("!H", query[at + 1:at + 3])
        question = query[12:at + 5]
        self.asked.append(name)
        address = self.names.get(name)
        answer = b""
        if address and kind == 1:
            answer = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(address)
        flags = 0x8180 if address else 0x8183  # answered; no such name
        return query[:2] + struct.pack("!HHHHH", flags, 1, bool(answer), 0, 0) + question + answer
